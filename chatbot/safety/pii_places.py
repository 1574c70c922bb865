"""Postal addresses and postcodes: a house number beside a word for a street, in seven languages.

Every quantifier is bounded, so that a long run of one character costs a constant per place.
"""

# ruff: noqa: E501 - a pattern is read and changed as one line
from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from chatbot.types import Entity

_FLAT: Final = r"(?:(?:flat|apartment|apt\.?|unit|suite|room)\s?\w{1,5},?\s)?"
_HOUSE: Final = r"\d{1,5}\s?[A-Za-z]?(?:[-/]\d{1,4}[A-Za-z]?)?"
_NAME: Final = r"(?:[^\W\d_][\w'’.-]{0,24}\s){1,4}"
_CAPITAL: Final = r"(?:[A-ZÄÖÜÉ][\w'’.-]{0,24}\s){1,4}"
_TAIL: Final = (
    r"(?:,?\s(?:[A-Z][\w'’-]{1,24}[,\s]{0,2}){0,4}"
    r"(?:[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}|[A-Z]{2}\s\d{5}(?:-\d{4})?|\d{5}|\d{4}\s?[A-Z]{2})\b)?"
)
_ADDRESSES: Final = (
    re.compile(
        rf"(?<![\w£€$.,#-]){_FLAT}{_HOUSE},?\s{_NAME}"
        r"(?i:street|road|avenue|lane|crescent|terrace|boulevard|mews|rd|ave|blvd|str)\b\.?"
        + _TAIL,
    ),
    re.compile(
        rf"(?<![\w£€$.,#-])(?:(?:Flat|Apartment|Apt\.?|Unit|Suite)\s?\w{{1,5}},?\s)?{_HOUSE},?\s{_CAPITAL}"
        r"(?:Street|St|Road|Drive|Dr|Close|Court|Ct|Place|Pl|Square|Sq|Gardens|Grove|Way|Hill|"
        r"Row|Park|Walk|Green|View|Rise|Quay|Parade|Lane|Ln|Circle|Trail)\b\.?" + _TAIL,
    ),
    re.compile(
        r"(?<!\w)(?!(?:During|Spring|String|Offering|Catering|Monitoring|Engineering|Earring)\s)"
        r"(?:[A-ZÄÖÜ][\wäöüß-]{0,30}\s){0,2}"
        r"(?:[A-ZÄÖÜ][\wäöüß-]{1,30}(?:straße|strasse|str\.|weg|platz|allee|gasse|ring|damm|ufer|"
        r"straat|laan|plein|gracht|kade|dijk|singel|steeg)|(?:Straße|Strasse|Allee|Platz|Weg))"
        r"\s\d{1,4}(?:\s?[a-zA-Z])?(?!\w)(?:,?\s(?:\d{5}|\d{4}\s?[A-Z]{2})(?:\s[A-ZÄÖÜ][\wäöüß-]{1,24})?)?"
    ),
    re.compile(
        r"(?<![\w£€$.,#-])\d{1,4}(?:\s?(?:bis|ter|[A-Z]))?,?\s"
        r"(?i:rue|avenue|boulevard|place|chemin|allée|impasse|quai|cours|route)\s"
        r"(?:(?:de|du|des|la|le|les)\s|[ldLD]['’]){0,3}[A-ZÉÈÀÂ][\w'’-]{1,24}"
        r"(?:\s[A-ZÉÈÀÂ][\w'’-]{1,24}){0,3}(?:,?\s\d{5}\s[A-ZÉ][\w'’-]{1,24})?"
    ),
    re.compile(
        r"(?<!\w)(?:Calle|C/|Avenida|Avda\.?|Plaza|Paseo|Via(?!\sFerrata)|Viale|Piazza|Corso|Rua)\s"
        r"(?:(?:de|del|della|dei|di|do|da|dos|la|las|los)\s){0,2}[A-ZÁÉ][\w'’-]{1,24}"
        r"(?:\s[A-ZÁÉ][\w'’-]{1,24}){0,3},?\s\d{1,4}[a-zA-Z]?(?!\w)"
        r"(?:,?\s\d{4,5}(?:-\d{3})?\s[A-ZÁÉ][\w'’-]{1,24})?"
    ),
    re.compile(
        r"(?<!\w)(?:Am|An der|Auf de[mr]|Im|Zum|Zur|Unter den)\s[A-ZÄÖÜ][\wäöüß-]{1,30}\s\d{1,4}[a-z]?"
        r",?\s\d{5}\s[A-ZÄÖÜ][\wäöüß-]{1,24}"
    ),
    re.compile(r"\b(?:P\.?\s?O\.?\s?Box|Postfach|Postbus)\s\d{1,7}\b" + _TAIL, re.I),
)
_ADDRESS_NOISE: Final = re.compile(
    r"\b(?:days?|weeks?|months?|years?|hours?|minutes?|mins|miles|km|metres|litres?|percent|pounds|"
    r"euros?|pairs?|of|the|and|on|in|is|for|from|to)\b",
    re.I,
)
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
    re.compile(
        r"(?<=,\s)(?:AL|AK|AZ|AR|CA|CO|CT|DE|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|OK|OR|PA|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY)\s\d{5}(?:-\d{4})?(?!\w)"
    ),
    re.compile(
        r"(?<![\w£€$.,#-])(?:D-)?\d{5}(?=\s(?:Berlin|Hamburg|München|Munich|Köln|Cologne|Frankfurt|Stuttgart|Düsseldorf|Leipzig|Dresden|Bremen|Hannover|Nürnberg|Bonn|Münster|Freiburg|Mainz|Kiel)\b)"
    ),
)


def find_places_to_live(text: str) -> Iterator[Entity]:
    """Postal addresses and postcodes of the regions that the shop delivers to."""
    for pattern in _ADDRESSES:
        for match in pattern.finditer(text):
            shown = match[0].rstrip(" ,.")
            # "9 The Crescent" is a street, "3 of the tents on the road" is none.
            if not _ADDRESS_NOISE.search(re.sub(r"\bThe (?=[A-Z])", "", shown)):
                yield Entity("address", match.start(), match.start() + len(shown), shown)
    for pattern in _POSTCODES:
        for match in pattern.finditer(text):
            group = 1 if pattern.groups else 0
            value = re.sub(r"\s", "", match[group]).upper()
            yield Entity("postcode", *match.span(group), match[group], value)
