"""Postcodes that stand alone, of the regions that the shop delivers to.

Every quantifier is bounded, so that a long run of one character costs a constant per place.
"""

# ruff: noqa: E501 - a pattern is read and changed as one line
from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from chatbot.types import Entity

_POSTCODES: Final = (
    re.compile(
        r"(?<![\w-])(?:[A-PR-UWYZ][A-HK-Y]?\d[A-Z\d]?\s\d[ABD-HJLNP-UW-Z]{2}|GIR ?0AA)(?![\w-])",
        re.I,
    ),
    re.compile(r"(?<![\w-])[A-PR-UWYZ][A-HK-Y]?\d[A-Z\d]?\d[ABD-HJLNP-UW-Z]{2}(?![\w-])"),
    re.compile(r"(?<![\w-])(?:[AC-FHKNPRTV-Y]\d{2}|D6W)\s[0-9AC-FHKNPRTV-Y]{4}(?![\w-])"),
    re.compile(
        r"(?<![\w-])(?:[AC-FHKNPRTV-Y]\d{2}|D6W)(?=[A-Z0-9]{0,3}\d)(?=[A-Z0-9]{0,3}[A-Z])[0-9AC-FHKNPRTV-Y]{4}(?![\w-])"
    ),
    re.compile(
        r"(?<![\w-])[1-9]\d{3} ?(?!SA|SD|SS|GB|MB|KB|TB|ML|KG|CM|MM|KM|LM|EU|UK|US|AM|PM|HZ|IN|OR|OF)[A-Z]{2}(?=,?\s[A-Z][a-z])"
    ),
    re.compile(
        r"\b(?:post ?code|postal code|code postal|c[óo]digo postal|zip(?: ?code)?|plz|postleitzahl|eircode)\b\s?(?:is|:|ist)?\s?"
        r"((?:D-|NL-)?\d{5}(?:-\d{4})?|\d{4}\s?[A-Z]{2}|[A-Z]\d[A-Z\d]{0,2}\s?\d[A-Z]{2}|"
        r"[A-Z]{2}\d[A-Z\d]?\s?\d[A-Z]{2}|[A-Z]\d\d\s?[A-Z0-9]{4})(?!\w)",
        re.I,
    ),
    re.compile(  # "il CAP 20156", "kod pocztowy mam 30-147", "le code postal … c'est 35200"
        r"\b(?:post ?codes?|postal codes?|codes? posta(?:l|ux)|c[óo]digos? posta(?:l|is|les)|zip(?: ?codes?)?|plz|postleitzahl|(?-i:CAP)|kod(?:u|y|em)? pocztow\w{1,3}|"
        r"postnummer|postcode)\b[^\d\n.!?]{1,40}(?<![\w.-])(\d{2}-\d{3}|\d{5}|\d{4}-\d{3}|\d{3} \d{2}|\d{4}(?: ?[A-Z]{2})?)(?![\w-]|[.,]\d| ?[€$£%])",
        re.I,
    ),
    re.compile(  # the second of two that are compared: "35200 et non 35020", "not 8001 but 8010"
        r"\b(?:post ?code|code postal|c[óo]digo postal|plz|postleitzahl|(?-i:CAP)|kod pocztowy|zip)\b[^\d\n.!?]{1,40}(?:\d{5}|\d{2}-\d{3}|\d{4}) ?,?"
        r"(?:[^\d\n.!?]{1,24}) (?<![\w.-])(\d{5}|\d{2}-\d{3}|\d{4})(?![\w-]|[.,]\d| ?[€$£%])",
        re.I,
    ),
    re.compile(  # "wonen in 5616 LK"
        r"(?<=\bin )(?!(?:19|20)\d\d)[1-9]\d{3} ?(?!SA|SD|SS)[A-Z]{2}(?![\w-])"
    ),
    re.compile(
        r"(?<=,\s)(?:AL|AK|AZ|AR|CA|CO|CT|DE|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|OK|OR|PA|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY)\s\d{5}(?:-\d{4})?(?!\w)"
    ),
    re.compile(
        r"(?<![\w£€$.,#-])(?:D-)?\d{5}(?=\s(?:Berlin|Hamburg|München|Munich|Köln|Cologne|Frankfurt|Stuttgart|Düsseldorf|Leipzig|Dresden|Bremen|Hannover|Nürnberg|Bonn|Münster|Freiburg|Mainz|Kiel)\b)"
    ),
)


def find_postcodes(text: str) -> Iterator[Entity]:
    """``value`` is without blanks, in capitals."""
    for pattern in _POSTCODES:
        for match in pattern.finditer(text):
            group = 1 if pattern.groups else 0
            value = re.sub(r"\s", "", match[group]).upper()
            yield Entity("postcode", *match.span(group), match[group], value)
