"""Postal addresses and postcodes: a house number beside a word for a street, in eleven languages.

Every quantifier is bounded, so that a long run of one character costs a constant per place.
"""

# ruff: noqa: E501 - a pattern is read and changed as one line
from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from chatbot.types import Entity

_DOOR: Final = (
    r"(?:flat|apartment|apt\.?|unit|suite|room|studio|floor|wohnung|appartement|#)\s?"
    r"(?:\d{1,4}[a-z]?|[a-z]\d{0,3})\b"
)
_FLAT: Final = rf"(?:{_DOOR},?\s)?"
_HOUSE: Final = r"\d{1,5}\s?[A-Za-z]?(?:[-/]\d{1,4}[A-Za-z]?)?"
_NAME: Final = r"(?:[^\W\d_][\w'’.-]{0,24}\s){1,4}"
_CAPITAL: Final = r"(?:[A-ZÄÖÜÉ][\w'’.-]{0,24}\s){1,4}"
_TOWN: Final = r"[A-ZÄÖÜÉÅØŁŚŻ][\w'’-]{1,24}(?:\s[A-ZÄÖÜÉÅØŁŚŻ][\w'’-]{0,24}){0,2}"
_CODE: Final = (
    r"(?:[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}|[A-Z]\d[\dW]\s?[A-Z0-9]{4}|[A-Z]\d[A-Z]\s?\d[A-Z]\d|"
    r"[A-Z]{2}\s\d{5}(?:-\d{4})?|[A-Z]{2,3}\s\d{4}|\d{5}|\d{4}\s?[A-Z]{2})"
)
_TAIL: Final = (  # "…, Apt 6, Boulder, CO 80304" or "…, Exmouth."
    rf"(?:,?\s(?i:{_DOOR})\b)?"
    rf"(?:,?\s(?:[A-Z][\w'’-]{{1,24}}[,\s]{{0,2}}){{0,4}}{_CODE}\b"
    rf"|,\s(?!(?:Please|Thanks|Thank|Not|And|But|Or|My|The|It|I)\b){_TOWN}"
    r"(?=[.,;!?]|\s{0,3}(?:$|\n)|\s(?:please|pls|thanks|thx|bitte|instead|now)\b))?"
)
_AFTER: Final = (  # the continent's order: "…, 3º B, 28012 Madrid", "…, 31-047 Kraków"
    rf"(?:,\s\d{{1,2}}[ºª°]\s?[A-Za-z]{{0,4}}\.?)?"
    rf"(?:,?\s(?:[A-Z]{{1,2}}-)?(?:\d{{4}}\s?[A-Z]{{2}}|\d{{2}}-\d{{3}}|\d{{3}}\s\d{{2}}|\d{{4,5}}(?:-\d{{3}})?)\b(?:\s{_TOWN})?)?"
)
_STREETS: Final = (
    r"(?:Street|St|Road|Drive|Dr|Close|Court|Ct|Place|Pl|Square|Sq|Gardens|Grove|Way|Hill|Row|Park|"
    r"Walk|Green|View|Rise|Quay|Parade|Lane|Ln|Circle|Trail|Avenue|Ave|Terrace|Crescent|Mews|Wynd|"
    r"Brae|Vennel|Drove|Fold|Gate|Mount|Heights|Meadows?|Esplanade|Promenade|Highway|Hwy|Pkwy|Parkway)"
)
_ADDRESSES: Final = (
    re.compile(
        rf"(?<![\w£€$.,#-])(?i:{_FLAT}){_HOUSE},?\s{_NAME}"
        r"(?i:street|road|avenue|lane|cres(?:c|s)?ent|terrace|boulevard|mews|rd|ave|blvd|str)\b\.?"
        + _TAIL,
    ),
    re.compile(
        rf"(?<![\w£€$.,#-])(?i:{_FLAT}){_HOUSE},?\s{_CAPITAL}{_STREETS}\b\.?" + _TAIL,
    ),
    re.compile(  # a named building in the place of the house number
        rf"(?<!\w)(?i:{_DOOR}),\s(?:{_TOWN},\s){{1,2}}{_CAPITAL}{_STREETS}\b\.?" + _TAIL,
    ),
    re.compile(
        r"(?<!\w)(?!(?:During|Spring|String|Offering|Catering|Monitoring|Engineering|Earring)\s)"
        r"(?:[A-ZÄÖÜ][\wäöüß-]{0,30}\s){0,2}"
        r"(?:[A-ZÄÖÜ][\wäöüß-]{1,30}(?:straße|strasse|str\.|weg|platz|allee|gasse|ring|damm|ufer|"
        r"straat|laan|plein|gracht|kade|dijk|singel|steeg|vest|lei|dreef|baan|hof|markt)|"
        r"(?:Straße|Strasse|Allee|Platz|Weg))"
        r"\s\d{1,4}(?:\s?[a-zA-Z])?(?!\w)" + _AFTER
    ),
    re.compile(  # Danish, Norwegian, Swedish, Finnish
        r"(?<!\w)[A-ZÅÄÖØÆ][\wåäöøæ-]{1,30}(?:gade|gata|gatan|vej|veien|vägen|väg|stræde|"
        r"allé|katu|gränd|torget|torv)\s\d{1,4}(?:\s?[A-Za-z])?(?!\w)" + _AFTER
    ),
    re.compile(  # Polish, Czech
        r"(?<!\w)(?i:ul|al|os|pl|ulica|ulice|aleja)\.?\s(?:[A-ZŁŚŻŹĆČŘŠŽ][\w-]{1,24}\s){1,3}"
        r"\d{1,4}[A-Za-z]?(?:/\d{1,4})?(?!\w)" + _AFTER
    ),
    re.compile(
        r"(?<![\w£€$.,#-])\d{1,4}(?:\s?(?:bis|ter|[A-Z]))?,?\s"
        r"(?i:rue|avenue|boulevard|place|chemin|allée|impasse|quai|cours|route)\s"
        r"(?:(?:de|du|des|la|le|les)\s|[ldLD]['’]){0,3}[A-ZÉÈÀÂ][\w'’-]{1,24}"
        r"(?:\s[A-ZÉÈÀÂ][\w'’-]{1,24}){0,3}(?:,?\s\d{5}\s[A-ZÉ][\w'’-]{1,24})?"
    ),
    re.compile(
        r"(?<!\w)(?:Calle|C/|Avenida|Avda\.?|Plaza|Paseo|Carrer|Travessa|Largo|Praça|Via(?!\sFerrata)|Viale|Piazza|Corso|Rua)\s"
        r"(?:(?:de|del|della|dei|di|do|da|dos|das|la|las|los)\s){0,2}[A-ZÁÉ][\w'’-]{1,24}"
        r"(?:\s[A-ZÁÉ][\w'’-]{1,24}){0,3},?\s\d{1,4}[a-zA-Z]?(?!\w)" + _AFTER
    ),
    re.compile(
        r"(?<!\w)(?:Am|An der|Auf de[mr]|Im|Zum|Zur|Unter den)\s[A-ZÄÖÜ][\wäöüß-]{1,30}"
        r"(?:\s[A-ZÄÖÜ][\wäöüß-]{1,30})?\s\d{1,4}\s?[a-z]?,?\s\d{5}\s[A-ZÄÖÜ][\wäöüß-]{1,24}"
    ),
    re.compile(
        r"\b(?:P\.?\s?O\.?\s?Box|Postfach|Postbus|Apartado|Casella Postale)\s\d{1,7}\b" + _TAIL,
        re.I,
    ),
)
_ADDRESS_NOISE: Final = re.compile(
    r"\b(?:days?|weeks?|months?|years?|hours?|minutes?|mins|miles|km|metres|litres?|percent|pounds|"
    r"euros?|pairs?|of|the|and|on|in|is|for|from|to|do|does|you|your|we|can|have|are|there|any|"
    r"what|where|which|season|person|mile (?:walk|trail|hike|way))\b",
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
