"""The passages' own words: instead of a model's answer that does not stand, or beside one that
leaves out what the passages say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from chatbot.types import Passage, Sentence, SentenceKind
from knowledge_base.encoder import TextEncoder
from knowledge_base.units import units

LOOKED_AT = 2  # unjudged passages: below the second a quotation answers too rarely
SECOND = 0.4  # of the best unit's probability: then a second one is quoted beside it
MIN_WORDS = 4  # shorter pieces are headings or table cells
MAX_WORDS = 60
SAID_WORDS = 0.6  # of a unit's words in the answer: it is said already
SAID_LIKENESS = 0.8  # cosine of a unit with a sentence of the answer: the same in other words
_POINTS_BACK = re.compile(
    r"(?:it|its|they|their|this|that|these|those|both|otherwise|then|but|however|also|in that case"
    r"|the only)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w{3,}|\d+")
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
            (score, number, place)
            for number, passage in enumerate(passages, start=1)
            for place, (text, score) in enumerate(passage.units)
            if _sensible(text)
        ),
        key=lambda item: -item[0],
    )
    if judged:
        near = [item for item in judged[1:2] if item[0] >= SECOND * judged[0][0]]
        found = [
            _sentence(text, number)
            for _, number, place in (judged[0], *near)
            for text in _with_what_it_points_to(passages[number - 1].units, place)
        ]
        return tuple(dict.fromkeys(found))
    pieces = list(_unjudged(passages[:LOOKED_AT]))
    if not pieces:
        return ()
    vectors = encoder.embed([question, *(text for _, text in pieces)])
    number, text = pieces[int((vectors[1:] @ vectors[0]).argmax())]
    return (_sentence(text, number),)


def unsaid(
    quotes: Sequence[Sentence], said: Sequence[str], encoder: TextEncoder
) -> tuple[Sentence, ...]:
    """Those ``quotes`` that no sentence of ``said`` gives, in words or in meaning."""
    if not quotes or not said:
        return tuple(quotes)
    words = _words(" ".join(said))
    vectors = encoder.embed([*said, *(quote.text for quote in quotes)])
    likeness = (vectors[len(said) :] @ vectors[: len(said)].T).max(axis=1)
    return tuple(
        quote
        for quote, alike in zip(quotes, likeness.tolist(), strict=True)
        if alike < SAID_LIKENESS
        and len(_words(quote.text) & words) < SAID_WORDS * len(_words(quote.text))
    )


def _with_what_it_points_to(units: Sequence[tuple[str, float]], place: int) -> tuple[str, ...]:
    """A unit, and the one before it where it opens with a word that points back."""
    text = units[place][0]
    if place and _POINTS_BACK.match(text) and _sensible(units[place - 1][0]):
        return (units[place - 1][0], text)
    return (text,)


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))


def _sentence(text: str, number: int) -> Sentence:
    whole = text if _END.search(text) else f"{text}."
    return Sentence(whole, SentenceKind.CLAIM, (number,))


def _unjudged(passages: Sequence[Passage]) -> Iterator[tuple[int, str]]:
    for number, passage in enumerate(passages, start=1):
        yield from ((number, text) for text in units(passage.text) if _sensible(text))


def _sensible(text: str) -> bool:
    return MIN_WORDS <= len(text.split()) <= MAX_WORDS
