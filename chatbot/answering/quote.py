"""When no sentence of the model stands: the passage's own words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from chatbot.types import Passage, Sentence, SentenceKind
from knowledge_base.encoder import TextEncoder
from knowledge_base.units import units

LOOKED_AT = 2  # unjudged passages: below the second a quotation answers too rarely
MIN_WORDS = 4  # shorter pieces are headings or table cells
MAX_WORDS = 60
_END = re.compile(r"[.!?:…]$")


def best_quote(question: str, passages: Sequence[Passage], encoder: TextEncoder) -> Sentence | None:
    """The unit of the passages that answers ``question`` most likely, word for word, cited:
    by the reranker's judgement, and where there is none by likeness.

    None when the passages hold no unit of a sensible length.
    """
    judged = [
        (score, number, text)
        for number, passage in enumerate(passages, start=1)
        for text, score in passage.units
        if _sensible(text)
    ]
    if judged:
        _, number, text = max(judged, key=lambda item: item[0])
    else:
        pieces = list(_unjudged(passages[:LOOKED_AT]))
        if not pieces:
            return None
        vectors = encoder.embed([question, *(text for _, text in pieces)])
        number, text = pieces[int((vectors[1:] @ vectors[0]).argmax())]
    return Sentence(text if _END.search(text) else f"{text}.", SentenceKind.CLAIM, (number,))


def _unjudged(passages: Sequence[Passage]) -> Iterator[tuple[int, str]]:
    for number, passage in enumerate(passages, start=1):
        yield from ((number, text) for text in units(passage.text) if _sensible(text))


def _sensible(text: str) -> bool:
    return MIN_WORDS <= len(text.split()) <= MAX_WORDS
