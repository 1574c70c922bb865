"""The shapes of hard facts in a text: one pattern per kind, and the units they are told in."""

from __future__ import annotations

import re
from decimal import Decimal

_SMALL_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
_SMALL = _SMALL_WORDS.split()
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
WORD_NUMBERS: dict[str, int] = {word: n for n, word in enumerate(_SMALL)}
WORD_NUMBERS |= {word: 10 * n for n, word in enumerate(_TENS, 2)}
WORD_NUMBERS |= {
    f"{tens}{glue}{one}": 10 * t + o
    for t, tens in enumerate(_TENS, 2)
    for o, one in enumerate(_SMALL[1:10], 1)
    for glue in ("-", " ")
}
WORD_NUMBERS |= {
    "a hundred": 100,
    "one hundred": 100,
    "a thousand": 1000,
    "a dozen": 12,
    "twice": 2,
}
_WORD_NUMBER = "|".join(sorted(WORD_NUMBERS, key=len, reverse=True))
NUMBER = rf"(?:\d{{1,3}}(?:[, ]\d{{3}})+(?:\.\d+)?(?!\d)|\d+(?:[.,]\d+)?|\b(?:{_WORD_NUMBER})\b)"

CURRENCIES = {
    "£": "GBP", "gbp": "GBP", "pound": "GBP", "pounds": "GBP", "quid": "GBP",
    "€": "EUR", "eur": "EUR", "euro": "EUR", "euros": "EUR",
    "$": "USD", "usd": "USD", "dollar": "USD", "dollars": "USD", "chf": "CHF", "francs": "CHF",
}  # fmt: skip
# unit word -> (dimension, factor). Working days are a dimension of their own: they are not days.
UNITS: dict[str, tuple[str, Decimal]] = {}
for _dimension, _factor, _names in (
    ("time", "1", "second seconds sec secs"),
    ("time", "60", "minute minutes min mins"),
    ("time", "3600", "hour hours hr hrs"),
    ("time", "86400", "day days night nights"),
    ("time", "604800", "week weeks"),
    ("month", "1", "month months"),
    ("month", "12", "year years yr yrs"),
    ("working", "1", "working-day"),
    ("weight", "1000", "kg kilo kilos kilogram kilograms kilogrammes"),
    ("weight", "1", "g gram grams grammes"),
    ("pound", "1", "lb lbs"),
    ("length", "1", "mm millimetre millimetres millimeters"),
    ("length", "10", "cm centimetre centimetres centimeters"),
    ("length", "1000", "m metre metres meters"),
    ("length", "1000000", "km kilometre kilometres kilometers"),
    ("mile", "1", "mile miles"),
    ("inch", "1", "inch inches"),
    ("volume", "1000", "l litre litres liter liters"),
    ("volume", "1", "ml millilitre millilitres"),
    ("temperature", "1", "°c ℃ degrees °"),
    ("data", "1", "mb megabytes"),
    ("data", "1000", "gb gigabytes"),
    ("power", "1", "w watt watts"),
    ("light", "1", "lumen lumens"),
):
    for _name in _names.split():
        UNITS[_name] = (_dimension, Decimal(_factor))
_WORKING = r"(?:working|business|week)[ -]days?|weekdays?"
UNIT = rf"(?:{_WORKING}|calendar days?|{'|'.join(sorted(map(re.escape, UNITS), key=len, reverse=True))})"  # noqa: E501
WORKING = re.compile(_WORKING, re.IGNORECASE)

MONTHS = {
    name: n
    for n, names in enumerate(
        (
            "january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul",
            "august aug", "september sept sep", "october oct", "november nov", "december dec",
        ),
        1,
    )
    for name in names.split()
}  # fmt: skip
_MONTH = rf"(?:{'|'.join(sorted(MONTHS, key=len, reverse=True))})\.?"
_WEEK = "monday tuesday wednesday thursday friday saturday sunday"
WEEKDAYS = _WEEK.split()
_WEEKDAY = rf"(?:{'|'.join(WEEKDAYS)})s?"
# Short forms only from one day to another: 'Sun' alone may be the star, 'Mon' a name.
_ANY_WEEKDAY = rf"(?:{_WEEKDAY}|(?-i:Mon|Tues?|Wed|Thu(?:rs?)?|Fri|Sat|Sun)\b\.?)"

_ALTERNATIVES = (
    ("email", r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    ("link", r"https?://[^\s<>()\[\]]+|\bwww\.[^\s<>()\[\]]+|\b[a-z0-9-]+(?:\.[a-z0-9-]+)*"
             r"\.(?:com|org|net|example|gov|co\.uk|eu|io|de|nl|shop)\b(?:/[^\s<>()\[\]]*)?"),
    ("iso", r"\b(?P<y1>\d{4})-(?P<m1>\d\d)-(?P<d1>\d\d)\b"),
    ("date", rf"\b(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<m2>{_MONTH})\b"
             r"(?:,? (?P<y2>(?:19|20)\d\d)\b)?"
             rf"|\b(?P<m3>{_MONTH}) (?P<d3>\d{{1,2}})(?:st|nd|rd|th)?\b"
             rf"(?! ?{UNIT})"
             r"(?:,? (?P<y3>(?:19|20)\d\d)\b)?"),
    ("month", rf"\b(?P<m4>{_MONTH}) (?P<y4>(?:19|20)\d\d)\b|\b(?:in|from|until|since|during|by"
              r"|between|and|to|of) (?P<m5>(?-i:May|March))\b"
              r"|\b(?P<m6>(?-i:January|February|April|June|July|August|September|October|November"
              r"|December))\b"),
    ("phone", r"\+\d[\d ()-]{6,}\d|\b0\d{2,4}[ -]\d{3}[ -]?\d{3,4}\b|\b0\d{3,4} \d{5,6}\b"
              r"|\b0\d{9,10}\b|\b(?:\(\d{3}\) ?|\d{3}-)\d{3}-\d{4}\b|\b\d{3} \d{3}\b(?! ?\d)"),
    ("time", r"\b(?P<h1>\d{1,2})(?::(?P<n1>[0-5]\d)(?: ?(?P<a1>[ap]\.?m\b))?(?!\d)"
             r"|\.(?P<n3>[0-5]\d) ?(?P<a3>[ap]\.?m\b))"
             r"|\b(?P<h2>\d{1,2}) ?(?P<a2>[ap]\.?m\b)|\b(?P<w>noon|midday|midnight)\b"),
    ("postcode", r"(?-i:\b[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}\b)"),
    ("code", r"\b[a-z][a-z0-9]*-\d[a-z0-9-]*\b"
             r"|(?-i:\b[A-Z]{2,}\d+\b)"),
    ("amount", rf"(?P<c1>[£€$]|\b(?:GBP|EUR|USD|CHF) ?) ?(?P<v1>{NUMBER})"
               rf"|(?P<v2>{NUMBER}) ?(?P<c2>[£€$]|(?:GBP|EUR|USD|CHF|pounds?|euros?|dollars?)\b)"
               r"|\b(?P<p>\d+) ?(?:p|pence)\b"),
    ("percent", rf"(?P<v3>{NUMBER}) ?(?:%|per ?cent\b)"),
    ("quantity", rf"(?P<v4>{NUMBER})[ -]?(?P<u>{UNIT})(?![\w])"),
    ("single", r"\b(?:for|within|after|in|of|than|to|once|lasts?|takes?) an? (?P<s>full |whole )?"
               r"(?P<su>year|month|week|day|hour|minute)\b(?!-)"),
    ("weekday", rf"\b(?P<wd1>{_ANY_WEEKDAY}) ?(?:to|until|through|-) ?"
                rf"(?P<wd2>{_ANY_WEEKDAY})(?!\w)"
                rf"|\b(?P<wd3>{_WEEKDAY})\b|\b(?P<wd4>weekends?)\b"),
    ("number", rf"(?P<v5>{NUMBER})(?:st|nd|rd|th)?\b"),
)  # fmt: skip
FACT = re.compile("|".join(f"(?P<{name}>{body})" for name, body in _ALTERNATIVES), re.IGNORECASE)
KINDS = tuple(name for name, _ in _ALTERNATIVES)


def number_of(text: str, *, money: bool = False) -> Decimal:
    """'1,000' and '1 000' are a thousand, 'sixty' is 60; '4,95' is 4.95."""
    plain = text.strip().lower()
    if plain in WORD_NUMBERS:
        return Decimal(WORD_NUMBERS[plain])
    if re.fullmatch(r"\d+,\d{1,2}", plain) or (money and re.fullmatch(r"\d+,\d\d", plain)):
        plain = plain.replace(",", ".")
    return Decimal(plain.replace(",", "").replace(" ", ""))
