"""Personal data in a text: found once, replaced by typed placeholders, put back for its owner.

``find_entities`` reads at most MAX_READ characters; ``redact`` cuts what lies beyond, because
what nobody has looked at must not reach a prompt, a log or an export.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from chatbot.company_regex import compiled
from chatbot.safety.entities import PII, canonical, merge_entities, parted, resolve
from chatbot.safety.pii_emails import find_emails
from chatbot.safety.pii_low_names import find_names_by_place
from chatbot.safety.pii_names import find_names
from chatbot.safety.pii_national import find_by_presidio, find_other_ids, load_recognisers
from chatbot.safety.pii_numbers import find_bank_accounts, find_cards, find_ibans, find_phones
from chatbot.safety.pii_patterns import find_invoices, find_orders, find_urls
from chatbot.safety.pii_places import find_places_to_live
from chatbot.safety.pii_postcodes import find_postcodes
from chatbot.safety.pii_secrets import find_secrets
from chatbot.safety.pii_values import find_dates, find_money
from chatbot.safety.readable import MAX_READ, readable
from chatbot.types import Entity

if TYPE_CHECKING:
    from chatbot.safety.pii_tagger import Tagger

__all__ = [
    "CUT",
    "MAX_READ",
    "PII",
    "find_entities",
    "find_known",
    "hide",
    "load_recognisers",
    "merge_entities",
    "redact",
    "restore",
]

CUT: Final = " [the rest was too long to read]"
_KNOWN_FROM: Final = 3  # letters and digits; a shorter value stands in other words by chance
_ALONE_BELOW: Final = 6  # letters and digits of a value that may be a part of another word
_PLACEHOLDER: Final = re.compile(r"<([A-Z][A-Z_]{1,30})_(\d{1,6})>")


def find_entities(
    text: str, order_ids: Sequence[str] = (), tagger: Tagger | None = None
) -> list[Entity]:
    """Entities of the text without overlap, by position; spans refer to the text as sent.

    ``order_ids`` are the company's own patterns (``policy.toml``). ``tagger`` finds what only its
    surroundings give away; without it only patterns look. Nothing beyond the first MAX_READ
    characters is found. Raises PatternTooSlow where one of the company's patterns is given up.
    """
    seen = readable(text)
    plain = seen.text
    places = list(find_places_to_live(plain))
    found = [
        *find_secrets(plain),
        *find_emails(plain),
        *find_urls(plain),
        *places,
        *find_postcodes(plain),
        *find_names(plain),
        *find_names_by_place(plain, (place.start for place in places)),
        *find_money(plain),
    ]
    if any(c.isdigit() for c in plain):
        found += [
            *find_orders(plain, [compiled(one, ignore_case=True) for one in order_ids]),
            *find_invoices(plain),
            *find_ibans(plain),
            *find_cards(plain),
            *find_bank_accounts(plain),
            *find_by_presidio(plain),
            *find_other_ids(plain),
            *find_phones(plain),
            *find_dates(plain),
        ]
    if tagger is not None:
        found += parted(tagger.find(plain), found, plain)
    entities = resolve(found)
    if seen.offsets is None:
        return entities
    return [_as_sent(entity, *seen.span(entity.start, entity.end), text) for entity in entities]


def redact(
    text: str, entities: Sequence[Entity], known: Mapping[str, str]
) -> tuple[str, dict[str, str]]:
    """The text with PII as ``<ORDER_ID_1>``, and placeholder -> raw text for what it holds.

    ``known`` are the conversation's placeholders so far: a value that has one keeps it.
    """
    by_value = {(_label_of(name), canonical(raw)): name for name, raw in known.items()}
    highest: dict[str, int] = {}
    for name in (*known, *(m[0] for m in _PLACEHOLDER.finditer(text))):
        label = _label_of(name)
        highest[label] = max(highest.get(label, 0), _number_of(name))
    used: dict[str, str] = {}
    pieces: list[str] = []
    position = 0
    for entity in sorted(entities, key=lambda e: e.start):
        if not (entity.label in PII or entity.personal) or entity.start < position:
            continue
        label = entity.label.upper()
        key = (label, canonical(entity.text))
        if key not in by_value:
            highest[label] = highest.get(label, 0) + 1
            by_value[key] = f"<{label}_{highest[label]}>"
        name = by_value[key]
        used[name] = known.get(name, entity.text)
        pieces += [text[position : entity.start], name]
        position = entity.end
    pieces.append(text[position : max(position, MAX_READ)])
    return "".join(pieces) + (CUT if len(text) > MAX_READ else ""), used


def find_known(text: str, known: Mapping[str, str]) -> list[Entity]:
    """Where the values of a conversation's placeholders stand in another text of it."""
    found = []
    for name, raw in known.items():
        if len(canonical(raw)) < _KNOWN_FROM:
            continue
        for match in re.finditer(rf"(?<!\w){re.escape(raw)}(?!\w)", text, re.IGNORECASE):
            label = _label_of(name).lower()
            found.append(Entity(label, match.start(), match.end(), match[0], personal=True))
    return found


def hide(text: str, placeholders: Mapping[str, str]) -> str:
    """The values of a conversation's placeholders replaced by them, the longest first. A name or a
    short value is replaced where it stands alone: "Al" is no part of "also"."""
    by_value = {value: name for name, value in placeholders.items() if value.strip()}
    if not by_value:
        return text
    longest = sorted(by_value, key=len, reverse=True)
    return re.sub("|".join(map(_standing, longest)), lambda match: by_value[match[0]], text)


def _standing(value: str) -> str:
    alone = len(canonical(value)) < _ALONE_BELOW or value.isalpha()
    return rf"(?<!\w){re.escape(value)}(?!\w)" if alone else re.escape(value)


def restore(text: str, placeholders: Mapping[str, str]) -> str:
    """Placeholders as their values again; one that is not in the map stays as it is."""
    return _PLACEHOLDER.sub(lambda match: placeholders.get(match[0], match[0]), text)


def unresolved(text: str) -> list[str]:
    """Placeholders in the text, which stand for nothing once ``restore`` has been called."""
    return [match[0] for match in _PLACEHOLDER.finditer(text)]


def _as_sent(entity: Entity, start: int, end: int, text: str) -> Entity:
    return Entity(
        entity.label, start, end, text[start:end], entity.value, entity.source, entity.score
    )


def _label_of(name: str) -> str:
    return name.strip("<>").rpartition("_")[0]


def _number_of(name: str) -> int:
    number = name.strip("<>").rpartition("_")[2]
    return int(number) if number.isdecimal() else 0
