"""Rows of a table that hold ranges of numbers: which of them a question falls into.

To a network "Chest (cm) 85 to 89" is as near to "93 cm chest" as "90 to 95" is. Only rows of one
table are set beside each other, and only where one of them holds the number.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import islice

_SMALL = "one two three four five six seven eight nine ten eleven twelve".split()  # noqa: SIM905
_VALUES = {word: float(n) for n, word in enumerate(_SMALL, start=1)}
_ASKED = re.compile(rf"\b(\d+(?:[.,]\d+)?|(?:{'|'.join(_SMALL)})\b)", re.IGNORECASE)
_N = r"[£€$]?\s?(\d[\d.,]*)"
_BETWEEN = re.compile(rf"{_N}\s?(?:to|–|-)\s?{_N}", re.IGNORECASE)
_BELOW = re.compile(rf"(?:less than|under|below|fewer than)\s{_N}", re.IGNORECASE)
_ABOVE = re.compile(rf"(?:more than|over|above)\s{_N}", re.IGNORECASE)
_UP_TO = re.compile(rf"up to\s{_N}", re.IGNORECASE)
_FROM = re.compile(rf"{_N}(?:\s\w+)?\s(?:or|and) (?:more|over|longer|later)", re.IGNORECASE)
_NAME = re.compile(r"[^\W\d_]{2,}|[£€$]")
_NO_NAMES = frozenset(
    (
        *("to", "or", "and", "the", "for", "of", "in", "is", "it", "if", "my", "am", "are", "was"),
        *("no", "with", "than", "more", "less", "up", "under", "over", "above", "below", "how"),
        *("do", "you", "longer", "later", "fewer", "we", "have", "has", "can", "only", "on", "at"),
        *("by", "from", "per", "after", "this", "that", *_SMALL),
    )
)
_MEASURES = frozenset(
    (
        *("cm", "mm", "metre", "metres", "kg", "litre", "litres", "minute", "minutes", "hour"),
        *("hours", "day", "days", "night", "nights", "week", "weeks", "month", "months", "year"),
        *("years", "£", "€", "$"),
    )
)
_NEAR = 3  # words to either side of a number that may say what it measures
_MOST = 8  # numbers of a question that are looked at
_ALIKE = 0.8  # of the letters of two names: "hipps" are "hips"


@dataclass(frozen=True, slots=True)
class _Range:
    low: float
    high: float
    names: frozenset[str]
    """Words of its cell; alike in all rows of a column."""


def outside(units: Sequence[str], question: str) -> frozenset[int]:
    """Places of the table rows among ``units`` that have another range than the one into which a
    number of ``question`` falls. Empty where no row holds it."""
    found: set[int] = set()
    numbers = [*_numbers(question)]
    held = [
        (place, one) for place, unit in enumerate(units if numbers else ()) for one in _row(unit)
    ]
    for value, names in numbers:
        columns: dict[frozenset[str], list[tuple[int, bool]]] = defaultdict(list)
        for place, one in held:
            columns[one.names].append((place, one.low <= value <= one.high))
        about = max(columns, key=lambda column: _shared(column, names), default=frozenset())
        rows = columns[about]
        if _shared(about, names) and any(inside for _, inside in rows):
            found |= {place for place, inside in rows if not inside}
    return frozenset(found)


def _numbers(question: str) -> Iterator[tuple[float, list[str]]]:
    """Each number with the words about it."""
    for match in islice(_ASKED.finditer(question), _MOST):
        before = [*_names(question[: match.start()])][-_NEAR:]
        after = [*_names(question[match.end() :])][:_NEAR]
        yield _value(match[1]), [*before, *after]


def _row(unit: str) -> Iterator[_Range]:
    """The ranges in the cells of a table row ("Size S: Chest (cm) 85 to 89; Waist (cm) …")."""
    label, colon, cells = unit.partition(":")
    for cell in [label, *cells.split(";")] if colon else ():
        bounds = _bounds(cell)
        if bounds is not None:
            yield _Range(*bounds, frozenset(_names(cell)))


def _bounds(cell: str) -> tuple[float, float] | None:
    if match := _BETWEEN.search(cell):
        return _value(match[1]), _value(match[2])
    if match := _BELOW.search(cell):
        return -math.inf, math.nextafter(_value(match[1]), -math.inf)
    if match := _ABOVE.search(cell):
        return math.nextafter(_value(match[1]), math.inf), math.inf
    if match := _FROM.search(cell):
        return _value(match[1]), math.inf
    if match := _UP_TO.search(cell):
        return -math.inf, _value(match[1])
    return None


def _shared(column: frozenset[str], names: Sequence[str]) -> int:
    """How many names of a column stand beside the number; 0 where it measures something else."""
    measured = _MEASURES.intersection(names)
    if measured and _MEASURES & column and not measured & column:
        return 0
    return sum(any(_alike(own, name) for name in names) for own in column)


def _names(text: str) -> Iterator[str]:
    return (name for name in _NAME.findall(text.lower()) if name not in _NO_NAMES)


def _alike(one: str, other: str) -> bool:
    if one[:1] != other[:1]:
        return False
    return one == other or SequenceMatcher(None, one, other).ratio() >= _ALIKE


def _value(text: str) -> float:
    known = _VALUES.get(text.lower())
    return float(text.rstrip(".,").replace(",", ".")) if known is None else known
