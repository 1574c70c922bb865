"""Values that a rule, a form or a person can compare, for spans that have none yet.

A date becomes ISO 8601 as far as it was said (2026-03-09, 2026-W11, 2026-03), a time HH:MM,
money minor units and ISO 4217 code ("1250 GBP"), a telephone number E.164, an IBAN or a card
its digits. Dates are read by dateparser: https://dateparser.readthedocs.io/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from threading import Lock
from typing import Final

from chatbot.safety.pii_numbers import find_cards, find_ibans, find_phones
from chatbot.safety.pii_values import find_dates, find_money
from chatbot.types import Entity

MAX_CHARS: Final = 80  # no value is longer; more is a span that went wrong
_YEARLESS: Final = re.compile(r"--(\d\d)-(\d\d)")
_CLOCK: Final = re.compile(
    r"(?<!\d)([01]?\d|2[0-3])[:.h ]([0-5]\d)(?!\d)\s*([ap])?\.?\s*m?\b", re.I
)
_HOUR: Final = re.compile(r"(?<!\d)(1[0-2]|0?[1-9])\s*([ap])\.?\s*m\b", re.I)
_WORDS_OF_TIME: Final = {"noon": "12:00", "midday": "12:00", "midnight": "00:00"}
_KINDS: Final = ("date", "time", "money", "amount", "phone", "iban", "card", "email", "id")
_DATE_PARSER = Lock()  # dateparser keeps the last locale between calls


@dataclass(frozen=True, slots=True)
class Values:
    """Normalises spans as a company on ``today`` reads them.

    >>> Values(date(2026, 11, 20)).value("date", "next friday")
    '2026-11-27'
    """

    today: date
    languages: tuple[str, ...] = ("en",)

    def complete(self, entities: Iterable[Entity]) -> tuple[Entity, ...]:
        """The entities, each with its value where one can be told."""
        return tuple(
            replace(e, value=self.value(e.label, e.text))
            if e.value is None
            else replace(e, value=self._with_year(e.value))
            for e in entities
        )

    def value(self, label: str, text: str) -> str | None:
        """None for a label without a normal form, and for words that name no single value."""
        said = " ".join(text.split())
        kind = _kind(label)
        if kind is None or not said or len(said) > MAX_CHARS:
            return None
        return _READERS[kind](self, said)

    def _date(self, said: str) -> str | None:
        written = _only(find_dates(said), said)
        if written is not None:
            return self._with_year(written)
        import dateparser.date

        parser = dateparser.date.DateDataParser(
            languages=list(self.languages),
            settings={
                "RELATIVE_BASE": datetime.combine(self.today, time(12)),
                "PREFER_DATES_FROM": "future",  # a weekday or "the 5th" is one to come
                "DATE_ORDER": "DMY",
                "RETURN_TIME_AS_PERIOD": True,
            },
        )
        with _DATE_PARSER:
            found = parser.get_date_data(said)
        if found.date_obj is None:
            return None
        day = found.date_obj.date()
        if re.search(r"\bweek\b", said, re.I) and not re.search(r"\d", said):
            year, week, _ = day.isocalendar()
            return f"{year}-W{week:02d}"
        shapes = {"month": f"{day:%Y-%m}", "year": f"{day:%Y}"}
        return str(shapes.get(found.period, day.isoformat()))

    def _with_year(self, value: str) -> str:
        """A day without a year is the one nearest to today."""
        found = _YEARLESS.fullmatch(value)
        if found is None:
            return value
        days = []
        for year in (self.today.year - 1, self.today.year, self.today.year + 1):
            try:
                days.append(date(year, int(found[1]), int(found[2])))
            except ValueError:  # 29 February in a year without one
                continue
        if not days:
            return value
        return min(days, key=lambda d: abs((d - self.today).days)).isoformat()

    def _time(self, said: str) -> str | None:
        for word, clock in _WORDS_OF_TIME.items():
            if word in said.casefold():
                return clock
        if found := _HOUR.search(said):
            return _clock(int(found[1]), 0, found[2])
        if found := _CLOCK.search(said):
            return _clock(int(found[1]), int(found[2]), found[3])
        return None

    def _money(self, said: str) -> str | None:
        return _only(find_money(said), said)

    def _phone(self, said: str) -> str | None:
        named = f"call {said}"  # the label says that it is one, the finder wants to read it
        return next((e.value for e in find_phones(named)), None)

    def _iban(self, said: str) -> str | None:
        return _only(find_ibans(said), said)

    def _card(self, said: str) -> str | None:
        return _only(find_cards(said), said)

    def _email(self, said: str) -> str | None:
        return said.lower() if re.fullmatch(r"[^\s@]+@[^\s@]+\.[^\s@]+", said) else None

    def _id(self, said: str) -> str | None:
        return re.sub(r"[\s#]", "", said).upper() or None


_READERS: Final[dict[str, Callable[[Values, str], str | None]]] = {
    "date": Values._date,
    "time": Values._time,
    "money": Values._money,
    "amount": Values._money,
    "phone": Values._phone,
    "iban": Values._iban,
    "card": Values._card,
    "email": Values._email,
    "id": Values._id,
}


def _kind(label: str) -> str | None:
    """The kind that a label's words name: "order_id" an id, "date_from" a date."""
    words = re.split(r"[\W_]+", label.casefold())
    return next((kind for kind in _KINDS if kind in words), None)


def _only(found: Iterable[Entity], said: str) -> str | None:
    """The value where the words hold exactly one: "3 to 5 March" has none."""
    entities: Sequence[Entity] = list(found)
    numbers = len(re.findall(r"\d+(?:[.,]\d+)*", said))
    inside = sum(len(re.findall(r"\d+(?:[.,]\d+)*", e.text)) for e in entities)
    return entities[0].value if len(entities) == 1 and numbers == inside else None


def _clock(hour: int, minute: int, half: str | None) -> str:
    if half:
        hour = hour % 12 + (12 if half.lower() == "p" else 0)
    return f"{hour:02d}:{minute:02d}"
