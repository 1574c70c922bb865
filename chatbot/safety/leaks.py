"""Personal data in a text of the bot: only the customer's own, or what a public article says."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final

from chatbot.safety.entities import canonical
from chatbot.safety.pii import MAX_READ, PII, find_entities, unresolved
from chatbot.types import Entity, Passage, Reason, ReasonCode

_SQUEEZED_FROM: Final = 6
"""Letters and digits from which "LM 1234567" in an article allows "LM-1234567": a shorter value
would be found in longer numbers by chance."""


def leak_reasons(
    text: str,
    own_values: Collection[str],
    passages: Sequence[Passage],
    *,
    order_ids: Sequence[str] = (),
    public_texts: Sequence[str] = (),
    companys: Callable[[str], Sequence[Entity]] | None = None,
) -> tuple[Reason, ...]:
    """PII_LEAK for each value that is neither the customer's own nor in a public passage.

    ``public_texts`` are other texts that anybody may read (the company's contact line);
    ``companys`` finds the company's own codes, of which some tell who a customer is. A text
    longer than MAX_READ is held whole, since nobody looked at its end.
    """
    if len(text) > MAX_READ:
        return (
            Reason(
                ReasonCode.PII_LEAK,
                f"The text has {len(text)} characters and only {MAX_READ} are searched for "
                "personal data.",
                rule="pii.too_long",
            ),
        )
    reasons = [
        Reason(
            ReasonCode.PII_LEAK,
            f"The placeholder {name} stands for nothing that this customer has told us.",
            rule="pii.placeholder",
            words=name,
        )
        for name in unresolved(text)
    ]
    own_codes = companys(text) if companys is not None else ()
    found = [
        e for e in (*find_entities(text, order_ids), *own_codes) if e.label in PII or e.personal
    ]
    if not found:
        return tuple(reasons)
    own = {canonical(value) for value in own_values}
    public = [p.text for p in passages if p.audience == "public"]
    public += [f"{p.title} {p.heading}" for p in passages if p.audience == "public"]
    shown = _Public([*public, *public_texts], order_ids)
    reasons += [
        Reason(
            ReasonCode.PII_LEAK,
            f"The text names {_called(entity.label)} that is neither the customer's own nor in "
            "a public article.",
            rule=f"pii.{entity.label}",
            words=entity.text,
            score=entity.score,
        )
        for entity in found
        if not _own(entity, own) and not shown.has(entity)
    ]
    return tuple(reasons)


def _own(entity: Entity, own: Collection[str]) -> bool:
    names = {canonical(entity.text), canonical(entity.value or entity.text)}
    if names & set(own):
        return True
    # A customer's "14 Elm Road, Leeds LS1 4AB" allows "LS1 4AB", and their full name its parts.
    parts = entity.label in {"address", "postcode", "person_name"}
    return parts and any(
        name and len(name) >= 3 and any(name in value for value in own) for name in names
    )


class _Public:
    """Texts that anybody may read, searched literally and by value."""

    def __init__(self, texts: Sequence[str], order_ids: Sequence[str]) -> None:
        self._texts = texts
        self._folded = [text.casefold() for text in texts]
        self._squeezed = [canonical(text) for text in texts]
        self._order_ids = order_ids
        self._values: frozenset[str] | None = None

    def has(self, entity: Entity) -> bool:
        if any(entity.text.casefold() in text for text in self._folded):
            return True
        name = canonical(entity.text)
        if len(name) >= _SQUEEZED_FROM and any(name in text for text in self._squeezed):
            return True
        if entity.label != "phone" or not entity.value:
            return False
        if self._values is None:  # read once, and only when a number is written in another way
            self._values = frozenset(
                found.value
                for text in self._texts
                for found in find_entities(text, self._order_ids)
                if found.label == "phone" and found.value
            )
        return entity.value in self._values


def _called(label: str) -> str:
    words = label.replace("_", " ").replace("ip", "IP address") if label == "ip" else label
    words = words.replace("_", " ")
    return f"{'an' if words[0] in 'aeioI' else 'a'} {words}"
