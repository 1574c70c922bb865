"""When no sentence of the model stands: the passage's own words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from chatbot.types import Passage, Sentence, SentenceKind
from knowledge_base.encoder import TextEncoder
from knowledge_base.units import units

LOOKED_AT = 2  # unjudged passages: below the second a quotation answers too rarely
SECOND = 0.5  # of the best unit's probability: then a second one is quoted beside it
MIN_WORDS = 4  # shorter pieces are headings or table cells
MAX_WORDS = 60
_END = re.compile(r"[.!?:…]$")


def best_quotes(
    question: str, passages: Sequence[Passage], encoder: TextEncoder
) -> tuple[Sentence, ...]:
    """The unit of the passages that answers ``question`` most likely, word for word, cited, and
    a second one that is nearly as likely: by the reranker's judgement, and where there is none
    the one nearest by likeness. () when the passages hold no unit of a sensible length.
    """
    judged = sorted(
        (
            (score, number, text)
            for number, passage in enumerate(passages, start=1)
            for text, score in passage.units
            if _sensible(text)
        ),
        key=lambda item: -item[0],
    )
    if judged:
        near = [item for item in judged[1:2] if item[0] >= SECOND * judged[0][0]]
        return tuple(_sentence(text, number) for _, number, text in (judged[0], *near))
    pieces = list(_unjudged(passages[:LOOKED_AT]))
    if not pieces:
        return ()
    vectors = encoder.embed([question, *(text for _, text in pieces)])
    number, text = pieces[int((vectors[1:] @ vectors[0]).argmax())]
    return (_sentence(text, number),)


def _sentence(text: str, number: int) -> Sentence:
    whole = text if _END.search(text) else f"{text}."
    return Sentence(whole, SentenceKind.CLAIM, (number,))


def _unjudged(passages: Sequence[Passage]) -> Iterator[tuple[int, str]]:
    for number, passage in enumerate(passages, start=1):
        yield from ((number, text) for text in units(passage.text) if _sensible(text))


def _sensible(text: str) -> bool:
    return MIN_WORDS <= len(text.split()) <= MAX_WORDS
