"""Dates as ISO 8601 and money in minor units: values that a rule or a person can compare."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Final

from chatbot.types import Entity

_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            "january jan januar januari",
            "february feb februar februari",
            "march mar märz maerz maart",
            "april apr",
            "may mai mei",
            "june jun juni",
            "july jul juli",
            "august aug augustus",
            "september sept sep",
            "october oct oktober okt",
            "november nov",
            "december dec dezember dez",
        ),
        1,
    )
    for name in names.split()
}
_MONTH: Final = "(?P<month>" + "|".join(sorted(_MONTHS, key=len, reverse=True)) + ")"
_YEAR: Final = r"(?P<year>(?:19|20)\d\d)"
_DAY: Final = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th|\.)?"
_DATES: Final = (
    re.compile(rf"(?<![\w-]){_YEAR}[-/.](?P<month>[01]?\d)[-/.](?P<day>[0-3]?\d)(?![\w-])"),
    re.compile(
        r"(?<![\w./-])(?P<day>[0-3]?\d)(?P<mark>[-/.])(?P<month>[01]?\d)(?P=mark)"
        r"(?P<year>(?:19|20)?\d\d)(?![\w/-]|\.\d)"
    ),
    re.compile(  # American order, taken only where the day cannot be a month
        r"(?<![\w./-])(?P<month>0?\d|1[0-2])/(?P<day>1[3-9]|2\d|3[01])/(?P<year>(?:19|20)?\d\d)(?![\w/])"
    ),
    re.compile(rf"\b{_DAY}\s?(?:of\s)?{_MONTH}\b\.?,?(?:\s{_YEAR}\b)?", re.I),
    re.compile(rf"\b{_MONTH}\b\.?\s(?:the\s)?{_DAY}\b(?:,?\s{_YEAR}\b)?", re.I),
)

_AMOUNT: Final = r"(?P<amount>\d{1,3}(?:[., ]\d{3}){1,3}(?:[.,]\d{1,2})?|\d{1,9}(?:[.,]\d{1,2})?)"
_CURRENCIES: Final = {
    "£": "GBP",
    "gbp": "GBP",
    "pound": "GBP",
    "pounds": "GBP",
    "quid": "GBP",
    "€": "EUR",
    "eur": "EUR",
    "euro": "EUR",
    "euros": "EUR",
    "$": "USD",
    "usd": "USD",
    "us$": "USD",
    "dollar": "USD",
    "dollars": "USD",
    "bucks": "USD",
    "chf": "CHF",
    "francs": "CHF",
    "franken": "CHF",
}
_MONEY: Final = (
    re.compile(rf"(?<!\w)(?P<currency>US\$|[£€$]|GBP|EUR|USD|CHF)\s?{_AMOUNT}(?![\w])", re.I),
    re.compile(
        rf"(?<![\w.,]){_AMOUNT}\s?(?P<currency>[£€$]|(?:GBP|EUR|USD|CHF|pounds?|quid|euros?|"
        r"dollars?|bucks|francs|franken)\b)",
        re.I,
    ),
    re.compile(r"(?<![\w.,])(?P<amount>\d{1,3})(?P<currency>p|pence|cents?)\b"),
)


def find_dates(text: str) -> Iterator[Entity]:
    """Dates with a day; ``value`` is YYYY-MM-DD, or --MM-DD where no year is named.

    Day before month, as in all regions of the sample company, unless that is no date.
    """
    for pattern in _DATES:
        for match in pattern.finditer(text):
            value = _iso(match)
            if value:
                start, end = match.span()
                end -= len(match[0]) - len(match[0].rstrip(" ,"))
                yield Entity("date", start, end, text[start:end], value)


def find_money(text: str) -> Iterator[Entity]:
    """Amounts with a currency; ``value`` is minor units and ISO 4217 code: '1250 GBP'."""
    for pattern in _MONEY:
        for match in pattern.finditer(text):
            currency = match["currency"].lower()
            if currency in {"p", "pence", "cent", "cents"}:
                code = "EUR" if currency.startswith("c") else "GBP"
                value = f"{int(match['amount'])} {code}"
            else:
                value = f"{_minor(match['amount'])} {_CURRENCIES[currency]}"
            yield Entity("money", *match.span(), match[0], value)


def _iso(match: re.Match[str]) -> str | None:
    fields = match.groupdict()
    named = fields["month"].lower()
    month = _MONTHS.get(named) or (int(named) if named.isdecimal() else 0)
    day, year = int(fields["day"]), fields.get("year")
    if year is not None and len(year) == 2:
        year = ("19" if int(year) > 69 else "20") + year
    try:
        checked = date(int(year or 2000), month, day)  # 2000 has a 29 February
    except ValueError:
        return None
    return checked.isoformat() if year else f"--{month:02d}-{day:02d}"


def _minor(amount: str) -> int:
    """'1.234,50' and '1,234.50' -> 123450: the last mark counts if one or two digits follow."""
    amount = amount.replace(" ", "")
    cut = max(amount.rfind("."), amount.rfind(","))
    if cut >= 0 and len(amount) - cut - 1 <= 2:
        whole, part = amount[:cut], amount[cut + 1 :]
    else:
        whole, part = amount, ""
    digits = "".join(c for c in whole if c.isdigit()) or "0"
    return int(digits) * 100 + int(part.ljust(2, "0") or 0)
