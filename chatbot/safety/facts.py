"""Hard facts of a text: what must match exactly, whatever the wording around it.

A fact is found by a pattern, normalised ("sixty days" and "60 days" are one value, "4,95 €"
and "€4.95" another) and told with its bound ("up to", "at least"), so that two texts can be
compared without reading them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache

from chatbot.safety.grounding_patterns import (
    CURRENCIES,
    FACT,
    KINDS,
    MONTHS,
    UNITS,
    WEEKDAYS,
    WORKING,
    number_of,
)
from chatbot.safety.grounding_words import COUNTRIES, content_stems, stem, tidy, words_of

_BEFORE_MOST = re.compile(
    r"(?:\bwithin|\bup to|\bat most|\bno (?:more|later|longer|heavier|higher|larger) than"
    r"|\bnot? (?:over|exceed(?:ing)?|be over|more than)|\bmax(?:imum|\.)?(?: of)?|\bunder|\bbelow"
    r"|\b(?:less|fewer|smaller|shorter|lighter|younger|cheaper|earlier) than|\bbefore|\buntil"
    r"|\bas (?:many|much) as|\binside)\s+(?:(?:the|a|about|only|those|these|an? order of) )?$",
    re.IGNORECASE,
)
_BEFORE_LEAST = re.compile(
    r"(?:\bat least|\bno (?:less|fewer|earlier) than|\bmin(?:imum|\.)?(?: of)?|\bover|\babove"
    r"|(?<!no )(?<!not )\b(?:more|longer|heavier|larger|bigger|older|later|higher|greater) than"
    r"|\bfrom|\bafter|\bexceed(?:s|ing)?|\bstarting at|\bbeyond|\bupwards of)"
    r"\s+(?:(?:the|a|about|those|these|an? order of) )?$",
    re.IGNORECASE,
)
_AFTER_MOST = re.compile(
    r"\s*(?:or|and) (?:less|fewer|under|below|lighter|shorter|younger|earlier|smaller)\b"
    r"|\s*(?:at most|maximum)\b",
    re.IGNORECASE,
)
_AFTER_LEAST = re.compile(
    r"\s*(?:or|and) (?:more|over|above|longer|older|heavier|later|up|upwards|higher)\b"
    r"|\s*(?:at least|minimum)\b|\+",
    re.IGNORECASE,
)
_DAY_BEFORE = re.compile(r"\bby\s+(?:the )?$", re.IGNORECASE)
_SERIES = re.compile(r"\s*(?:to|-|or|and|x|×|,|, or|/)\s*", re.IGNORECASE)
_SENTENCE_START = re.compile(r"(?:^|[.!?:;]|\n)[\s\"'(\[*-]*(?:\d+[.)]\s*)?$")
_NAME = re.compile(r"(?<![\w@./-])[^\W\d_]*[A-Z][^\W_]*(?:'s)?(?![\w@/])")
_NO_NAME_WORDS = """i i'm i'd i'll i've ok okay yes no am pm us sorry hello hi please thanks thank
    you it my your our this that these those the a an and or what how when where who which why we
    they mr mrs ms dr faq sms pdf id"""
_NO_NAME = frozenset(_NO_NAME_WORDS.split()) | set(MONTHS)
_MEASURED = frozenset({"amount", "percent", "quantity", "number"})


@dataclass(frozen=True, slots=True)
class Fact:
    """``value`` compares; ``text``, ``start`` and ``end`` point into the tidied text.

    ``number`` is the bare number of a measured fact, for table rows whose head names the unit.
    ``bound`` is -1 for at most ("up to", "within"), 1 for at least ("from", "or more"), else 0.
    """

    kind: str
    value: str
    text: str
    start: int
    end: int
    bound: int = 0
    number: str = ""
    near: frozenset[str] = frozenset()
    """Stems of the words beside a bare number: what it counts."""

    @property
    def dimension(self) -> str:
        """What it could be mistaken for: two amounts in one currency, two numbers of days."""
        return f"{self.kind}:{self.value.split(':')[0]}" if ":" in self.value else self.kind

    def agrees(self, other: Fact) -> bool:
        """The same value, and not 'at least' against 'at most'.

        A day without a year agrees with that day of any year, not the other way round.
        """
        if self.kind != other.kind or self.bound * other.bound < 0:
            return False
        if self.kind in {"date", "month"}:
            return other.value == self.value or other.value.endswith(self.value.lstrip("?"))
        if self.kind == "weekday":
            return set(self.value.split(",")) <= set(other.value.split(","))
        if self.kind == "number" and self.near and other.near and not self.near & other.near:
            return False
        return self.value == other.value


@lru_cache(maxsize=20_000)
def find_facts(text: str) -> tuple[Fact, ...]:
    """Facts of a text in order of appearance; offsets are those of ``tidy(text)``."""
    plain = tidy(text)
    found: list[Fact] = []
    for match in FACT.finditer(plain):
        kind = next(name for name in KINDS if match[name] is not None)
        value = _value(kind, match)
        if value is None:
            continue
        start, end = match.span()
        if kind == "month" and match["m5"]:
            start = match.start("m5")
        if kind == "single":
            start = match.start("su")
        shown = plain[start:end].rstrip(".,") if kind in {"link", "email"} else plain[start:end]
        kind = {"iso": "date", "single": "quantity"}.get(kind, kind)
        found.append(Fact(kind, value, shown, start, end, number=_bare(match)))
    found = [_bounded(fact, plain) for fact in _series(found, plain)]
    taken = [(fact.start, fact.end) for fact in found]
    names = [n for n in _names(plain) if not any(a < n.end and n.start < b for a, b in taken)]
    return tuple(sorted([*found, *names], key=lambda fact: fact.start))


def _value(kind: str, match: re.Match[str]) -> str | None:
    """None for what only looks like a fact."""
    text = match[0].lower()
    if kind == "email":
        return text.rstrip(".")
    if kind == "link":
        return re.sub(r"^(?:https?://)?(?:www\.)?", "", text).rstrip("/.,;:!?")
    if kind in {"phone", "postcode", "code"}:
        return re.sub(r"[\s()-]", "", text)
    if kind in {"iso", "date", "month"}:
        return _date(match)
    if kind == "time":
        return _time(match)
    if kind == "weekday":
        return _weekdays(match)
    if kind == "amount":
        if match["p"]:
            return f"GBP:{_plain(Decimal(match['p']) / 100)}"
        sign = (match["c1"] or match["c2"]).strip().lower()
        return f"{CURRENCIES[sign]}:{_plain(number_of(match['v1'] or match['v2'], money=True))}"
    if kind == "percent":
        return _plain(number_of(match["v3"]))
    if kind == "single":  # 'within a year' is twelve months
        dimension, factor = UNITS[match["su"].lower()]
        return f"{dimension}:{_plain(factor)}"
    if kind == "quantity":
        unit = match["u"].lower()
        number = number_of(match["v4"])
        if WORKING.fullmatch(unit):
            return f"working:{_plain(number)}"
        dimension, factor = UNITS[unit.removeprefix("calendar ")]
        return f"{dimension}:{_plain(number * factor)}"
    return None if text in {"one", "zero"} else _plain(number_of(match["v5"]))


def _bare(match: re.Match[str]) -> str:
    text = next((match[f"v{n}"] for n in range(1, 6) if match[f"v{n}"]), None)
    return _plain(number_of(text)) if text else ""


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


def _date(match: re.Match[str]) -> str | None:
    """'2026-01-31', '?-01-31' without a year, '2026-01' or '?-01' for a month."""
    month = next((match[f"m{n}"] for n in range(1, 7) if match[f"m{n}"]), "")
    number = int(month) if month.isdigit() else MONTHS.get(month.lower().rstrip("."))
    if number is None or not 1 <= number <= 12:
        return None
    year = match["y1"] or match["y2"] or match["y3"] or match["y4"] or "?"
    day = match["d1"] or match["d2"] or match["d3"]
    return f"{year}-{number:02d}-{int(day):02d}" if day else f"{year}-{number:02d}"


def _time(match: re.Match[str]) -> str | None:
    if match["w"]:
        return "00:00" if match["w"].lower() == "midnight" else "12:00"
    hour = int(match["h1"] or match["h2"])
    half = (match["a1"] or match["a2"] or match["a3"] or "").replace(".", "").lower()
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    return f"{hour:02d}:{match['n1'] or match['n3'] or '00'}" if hour <= 24 else None


def _weekdays(match: re.Match[str]) -> str:
    if match["wd4"]:
        return "saturday,sunday"
    if match["wd3"]:
        return match["wd3"].lower().removesuffix("s")
    starts = [name[:3] for name in WEEKDAYS]
    first, last = (starts.index(match[g][:3].lower()) for g in ("wd1", "wd2"))
    length = (last - first) % 7 + 1
    return ",".join(sorted(WEEKDAYS[(first + n) % 7] for n in range(length)))


def _series(facts: list[Fact], text: str) -> list[Fact]:
    """In '24 to 48 hours' and '55 x 40 cm' the last unit holds for each number; in '£5-10'
    the first sign does."""
    result = list(facts)
    factors: dict[int, Decimal] = {}  # by start, so that a unit reaches back over several
    for i in range(len(result) - 2, -1, -1):
        left, right = result[i], result[i + 1]
        joined = _SERIES.fullmatch(text[left.end : right.start])
        if joined and left.kind == "number" and right.kind in {"quantity", "percent"}:
            factor = factors.get(right.start) or _factor(text[right.start : right.end])
            factors[left.start] = factor
            dimension = right.value.split(":")[0] + ":" if right.kind == "quantity" else ""
            value = f"{dimension}{_plain(Decimal(left.value) * factor)}"
            result[i] = replace(left, kind=right.kind, value=value)
    for i in range(1, len(result)):
        left, right = result[i - 1], result[i]
        dash = re.fullmatch(r"\s*(?:-|to|or)\s*", text[left.end : right.start])
        if dash and left.kind == "amount" and right.kind == "number":
            currency = left.value.split(":")[0]
            result[i] = replace(right, kind="amount", value=f"{currency}:{right.value}")
    return result


def _factor(measured: str) -> Decimal:
    match = FACT.fullmatch(measured)
    unit = match["u"].lower() if match is not None and match["u"] else ""
    return UNITS.get(unit.removeprefix("calendar "), ("", Decimal(1)))[1]


def _bounded(fact: Fact, text: str) -> Fact:
    if fact.kind == "number":
        beside = words_of(text[max(0, fact.start - 30) : fact.start])[-2:]
        beside += words_of(text[fact.end : fact.end + 40])[:3]
        fact = replace(fact, near=frozenset(content_stems(" ".join(beside))))
    if fact.kind not in _MEASURED | {"date", "time", "month"}:
        return fact
    before, after = text[max(0, fact.start - 32) : fact.start], text[fact.end : fact.end + 16]
    if (
        _BEFORE_MOST.search(before)
        or _AFTER_MOST.match(after)
        or (fact.kind in {"date", "time"} and _DAY_BEFORE.search(before))
    ):
        return replace(fact, bound=-1)
    ranged = re.match(r"\s*(?:to|-|until|and)\s*[£€$]?\d", after)  # 'from 24 to 48 hours'
    if not ranged and (_BEFORE_LEAST.search(before) or _AFTER_LEAST.match(after)):
        return replace(fact, bound=1)
    return fact


def _names(text: str) -> Iterator[Fact]:
    """Capitalised words that do not open a sentence, and countries wherever they stand."""
    for match in _NAME.finditer(text):
        word = match[0].removesuffix("'s")
        plain = word.lower()
        if len(word) < 2 or plain in _NO_NAME - {"us"} or plain.rstrip("s") in WEEKDAYS:
            continue
        if plain == "us" and word != "US":
            continue
        opens = _SENTENCE_START.search(text[: match.start()]) is not None
        if opens and plain not in COUNTRIES and not (word.isupper() and len(word) > 2):
            continue
        yield Fact("name", stem(plain), word, match.start(), match.end())
