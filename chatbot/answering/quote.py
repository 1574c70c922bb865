"""When no sentence of the model stands: the passage's own words, chosen by likeness."""

from __future__ import annotations

import re
from collections.abc import Sequence

from chatbot.answering.sentences import split_sentences
from chatbot.types import Passage, Sentence, SentenceKind
from knowledge_base.encoder import TextEncoder
from knowledge_base.plain import plain_text

_BULLET = re.compile(r"^(?:[-*•]|\d{1,2}[.)])\s+")
LOOKED_AT = 2  # below the second passage a quotation answers the question too rarely
MIN_WORDS = 4  # shorter pieces are headings or table cells
MAX_WORDS = 60


def best_quote(question: str, passages: Sequence[Passage], encoder: TextEncoder) -> Sentence | None:
    """The sentence of the best passages nearest to ``question``, word for word, cited.

    None when the passages hold no sentence of a sensible length.
    """
    pieces = [
        (number, sentence)
        for number, passage in enumerate(passages[:LOOKED_AT], start=1)
        for raw in split_sentences(plain_text(passage.text))
        if (sentence := _BULLET.sub("", raw.strip()))
        and MIN_WORDS <= len(sentence.split()) <= MAX_WORDS
    ]
    if not pieces:
        return None
    vectors = encoder.embed([question, *(sentence for _, sentence in pieces)])
    number, text = pieces[int((vectors[1:] @ vectors[0]).argmax())]
    return Sentence(text, SentenceKind.CLAIM, (number,))
