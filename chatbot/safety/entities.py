"""Which of several overlapping spans stands, and how two sources of entities become one list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from chatbot.types import Entity

PII: Final = frozenset(
    {
        "card",
        "iban",
        "bank_account",
        "email",
        "phone",
        "order_id",
        "invoice_id",
        "person_name",
        "address",
        "postcode",
        "ip",
        "national_id",
        "secret",
        "crypto_wallet",
    }
)
"""Labels that are replaced before anything is stored or prompted; the others (date, money,
product, plan, place, url) are what a question is about and stay."""

# How specific a label's evidence is: a checksum says more than a shape, a shape more than a word.
_RANK: Final = {
    "secret": 14,
    "iban": 13,
    "email": 12,
    "card": 11,
    "crypto_wallet": 10,
    "national_id": 9,
    "bank_account": 9,
    "invoice_id": 8,
    "order_id": 8,
    "ip": 7,
    "date": 6,
    "phone": 5,
    "money": 4,
    "address": 4,
    "postcode": 3,
    "url": 2,
    "person_name": 1,
}
_GUESSABLE: Final = frozenset({"address", "postcode", "person_name"})
"""Labels whose patterns are themselves guesses: a longer guess may swallow them."""
_WORTH_HIDING: Final = 3  # letters in a piece that is left of a guess
_FROM_COMPANY: Final = 20  # a pattern that the company declared is a fact, not a guess


def resolve(found: Iterable[Entity]) -> list[Entity]:
    """Entities without overlap, by position: the most specific label wins, then the longest.

    An address or a secret swallows what lies inside it; a link never does, so that an e-mail
    address in a link is hidden all the same.
    """
    entities = _without_parts(list(found))
    taken = bytearray(max((e.end for e in entities), default=0))
    kept: list[Entity] = []
    for entity in sorted(entities, key=_order):
        if not any(taken[entity.start : entity.end]):
            kept.append(entity)
            taken[entity.start : entity.end] = b"\1" * (entity.end - entity.start)
    return sorted(kept, key=lambda e: e.start)


def parted(guessed: Sequence[Entity], found: Sequence[Entity], text: str) -> list[Entity]:
    """The guesses without what a pattern has validated inside them, in pieces: an address that was
    guessed too long must not swallow the order number, which has its own use."""
    sure = sorted(
        ((e.start, e.end) for e in found if e.label in PII - _GUESSABLE), key=lambda span: span[0]
    )
    pieces: list[Entity] = []
    for guess in guessed:
        start = guess.start
        for begin, end in (*(s for s in sure if _between(s, guess)), (guess.end, guess.end)):
            pieces += _piece(guess, start, begin, text)
            start = max(start, end)
    return pieces


def _between(span: tuple[int, int], guess: Entity) -> bool:
    return span[0] < guess.end and guess.start < span[1]


def _piece(guess: Entity, start: int, end: int, text: str) -> list[Entity]:
    while start < end and not text[start].isalnum():
        start += 1
    while end > start and not text[end - 1].isalnum():
        end -= 1
    if (start, end) == (guess.start, guess.end):
        return [guess]
    if sum(c.isalpha() for c in text[start:end]) < _WORTH_HIDING:
        return []
    return [replace(guess, start=start, end=end, text=text[start:end])]


def merge_entities(pattern: Sequence[Entity], model: Sequence[Entity]) -> tuple[Entity, ...]:
    """Patterns and the router's spans without overlap.

    A pattern wins over the model, since it has validated what it found, except where the
    model's span holds the pattern's whole and calls it the same.
    """
    wider = [
        m
        for m in model
        if any(m.label == p.label and m.start <= p.start and p.end <= m.end for p in pattern)
    ]
    kept = [
        *wider,
        *(p for p in pattern if not any(_overlap(p, m) for m in wider)),
    ]
    for entity in model:
        if entity.start < entity.end and not any(_overlap(entity, other) for other in kept):
            kept.append(entity)
    return tuple(sorted(kept, key=lambda e: e.start))


def canonical(text: str) -> str:
    """Two ways to write one value compare equal: letters and digits only, case folded."""
    return "".join(c for c in text.casefold() if c.isalnum())


def _order(entity: Entity) -> tuple[int, int, int]:
    rank = _FROM_COMPANY if entity.source == "company" else _RANK.get(entity.label, 0)
    return -rank, -(entity.end - entity.start), entity.start


def _without_parts(found: list[Entity]) -> list[Entity]:
    """Drops what lies inside an address or a secret; a link never swallows PII."""
    whole = [e for e in found if e.label in {"address", "secret"}]
    inside = bytearray(max((w.end for w in whole), default=0) + 1)
    for w in whole:
        inside[w.start : w.end] = b"\1" * (w.end - w.start)
    return [
        e
        for e in found
        if e.label in {"address", "secret"}
        or e.end >= len(inside)
        or not all(inside[e.start : e.end])
    ]


def _overlap(one: Entity, other: Entity) -> bool:
    return one.start < other.end and other.start < one.end
