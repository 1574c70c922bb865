"""Postal addresses: a house number beside a word for a street, in eleven languages, and all that
belongs to it, from the flat to the country.

Every quantifier is bounded, so that a long run of one character costs a constant per place.
"""

# ruff: noqa: E501 - a pattern is read and changed as one line
from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from chatbot.safety.pii_address_parts import DOOR, followed_by_place, grow
from chatbot.types import Entity

_HOUSE: Final = r"\d{1,5}\s?[A-Za-z]?(?:[-/]\d{1,4}[A-Za-z]?)?"
_NAME: Final = r"(?:[^\W\d_][\w'’.-]{0,24}\s){1,4}"
_CAPITAL: Final = r"(?:[A-ZÄÖÜÉ][\w'’.-]{0,24}\s){1,4}"
_TOWN: Final = r"[A-ZÄÖÜÉÅØŁŚŻ][\w'’-]{1,24}(?:\s[A-ZÄÖÜÉÅØŁŚŻ][\w'’-]{0,24}){0,2}"
_STREETS: Final = (
    r"(?:Street|St|Road|Drive|Dr|Close|Court|Ct|Place|Pl|Square|Sq|Gardens|Grove|Way|Hill|Row|Park|"
    r"Walk|Green|View|Rise|Quay|Parade|Lane|Ln|Circle|Trail|Avenue|Ave|Terrace|Crescent|Mews|Wynd|"
    r"Brae|Vennel|Drove|Fold|Gate|Mount|Heights|Meadows?|Esplanade|Promenade|Highway|Hwy|Pkwy|Parkway)"
)
_BRITISH: Final = r"[A-Z]{1,2}\d[A-Z\d]?[ ]?\d[ABD-HJLNP-UW-Z]{2}\b"
_STREET: Final = (
    re.compile(
        rf"(?<![\w£€$.,#-]){_HOUSE},?\s{_NAME}"
        r"(?i:street|road|avenue|lane|cres(?:c|s)?ent|terrace|boulevard|mews|rd|ave|blvd|str)\b\.?"
    ),
    re.compile(rf"(?<![\w£€$.,#-]){_HOUSE},?\s{_CAPITAL}{_STREETS}\b\.?"),
    re.compile(  # a named building in the place of the house number
        rf"(?<!\w)(?i:{DOOR}),\s(?:{_TOWN},\s){{1,2}}{_CAPITAL}{_STREETS}\b\.?"
    ),
    re.compile(
        r"(?<!\w)(?!(?:During|Spring|String|Offering|Catering|Monitoring|Engineering|Earring)\s)"
        r"(?:[A-ZÄÖÜ][\wäöüß-]{0,30}\s){0,2}"
        r"(?:[A-ZÄÖÜ][\wäöüß-]{1,30}(?:straße|strasse|str\.|Str\.|weg|platz|allee|gasse|ring|damm|ufer|"
        r"straat|laan|plein|gracht|kade|dijk|singel|steeg|vest|lei|dreef|baan|hof|markt)|"
        r"(?:Straße|Strasse|Str\.|Allee|Platz|Weg|Gasse|Chaussee))"
        r"\s\d{1,4}(?:\s?[a-zA-Z]|[-/]\d{1,4}[a-zA-Z]?)?(?!\w)"
    ),
    re.compile(  # Danish, Norwegian, Swedish, Finnish
        r"(?<!\w)[A-ZÅÄÖØÆ][\wåäöøæ-]{1,30}(?:gade|gata|gatan|vej|veien|vägen|väg|stræde|"
        r"allé|katu|gränd|torget|torv)\s\d{1,4}(?:\s?[A-Za-z](?:\s\d{1,3})?)?(?!\w)"
    ),
    re.compile(  # Hungarian
        r"(?<!\w)(?:[A-ZÁÉÍÓÖŐÚÜŰ][\w-]{1,24}\s){1,3}(?:utca|tér|körút|köz)\s\d{1,4}(?:/[A-Za-z0-9]{1,3})?\.?(?!\w)"
    ),
    re.compile(  # Polish, Czech
        r"(?<!\w)(?i:ul|al|os|pl|ulica|ulice|aleja)\.?\s(?:[A-ZŁŚŻŹĆČŘŠŽ][\w-]{1,24}\s){1,3}"
        r"\d{1,4}[A-Za-z]?(?:/\d{1,4})?(?!\w)"
    ),
    re.compile(
        r"(?<![\w£€$.,#-])\d{1,4}(?:\s?(?:bis|ter|[A-Z]))?,?\s"
        r"(?i:rue|avenue|boulevard|place|chemin|allée|impasse|quai|cours|route)\s"
        r"(?:(?:de|du|des|la|le|les)\s|[ldLD]['’]){0,3}[A-ZÉÈÀÂ][\w'’-]{1,24}"
        r"(?:\s[A-ZÉÈÀÂ][\w'’-]{1,24}){0,3}"
    ),
    re.compile(  # Belgium, Luxembourg, Switzerland: the number behind
        r"(?<!\w)(?:[Rr]ue|[Cc]haussée|[Qq]uai|[Cc]hemin|[Bb]oulevard)\s(?:(?:de|du|des|la|le|les)\s|[ldLD]['’]){0,3}"
        r"[A-ZÉÈÀÂ][\w'’-]{1,24}(?:\s[A-ZÉÈÀÂ][\w'’-]{1,24}){0,2},?\s\d{1,4}[a-zA-Z]?(?!\w)"
    ),
    re.compile(
        r"(?<!\w)(?:Calle|C/|Avenida|Avda\.?|Av\.|Plaza|Pza\.?|Paseo|Carrer|Ronda|Travessa|Largo|Praça|"
        r"Via(?!\sFerrata)|Viale|Vicolo|Piazza|Corso|Rua)\s"
        r"(?:(?:de|del|della|dei|di|do|da|dos|das|la|las|los)\s){0,2}[A-ZÁÉ][\w'’-]{1,24}"
        r"(?:\s(?:(?:de|del|di|y|e)\s)?[A-ZÁÉ][\w'’-]{1,24}){0,3},?\s(?:no?\.?\s?)?\d{1,4}[a-zA-Z]?(?!\w)"
    ),
    re.compile(
        r"\b(?:P\.?\s?O\.?\s?Box|Postfach|Postbus|Apartado|Casella Postale|Boîte Postale|BP)\s(?:\d\d(?:\s\d\d){1,2}|\d{1,7})\b",
        re.I,
    ),
)
_ONLY_WITH_A_CODE: Final = (  # too little to be an address but for a postcode that follows
    re.compile(
        r"(?<![\w£€$.,#-])\d{1,4}[A-Za-z]?[ ](?!(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}\b)(?:[A-Z][\w'’.-]{0,24}[ ]){0,3}[A-Z][\w'’-]{1,24}"
    ),
    re.compile(
        r"(?<![\w£€$.,#-])\d{1,4}[a-z]?\s(?:[a-z][a-z'’.-]{1,24}\s){1,3}(?:st|drive|dr|close|court|place|square|gardens|"
        r"grove|way|hill|row|park|walk|green|view|rise|quay|parade|circle|trail|wynd|brae|gate|mount|yard|wharf|croft)\b"
    ),
    re.compile(
        rf"(?<!\w)(?i:{DOOR}),\s(?:[^\W\d_][\w'’-]{{1,24}}\s){{1,3}}"
        r"(?i:business park|industrial estate|trading estate|retail park|house|court|mill|centre|center|works|wharf)\b"
    ),
)
_ONLY_WITH_A_TOWN: Final = re.compile(  # any words and a number, before "72070 Tübingen"
    r"(?<![\w.'’-])(?:[A-ZÀ-ÖØ-ÞŁŚŻŹĆČŘŠŽ][\w'’.-]{1,30}[ ]){1,3}\d{1,4}(?:[ ]?[a-zA-Z](?:[ ]\d{1,3})?|[-/]\d{1,4}[a-zA-Z]?)?(?!\w)"
)
_LEAD: Final = re.compile(
    r"(?:(?:Bitte|Adresse|Lieferadresse|Anschrift|Adres|Adress|Address|Send|Ship|Deliver|An|Nach|To|At|Order|Bestellung)[ ]){1,2}"
)
_LOW_SUFFIX: Final = re.compile(
    r"(?<!\w)[a-zäöüßåøæ-]{2,30}(?:straße|strasse|str\.|weg|platz|allee|gasse|straat|laan|plein|gracht|gatan|vägen|gade|vej)"
    r"\s\d{1,4}(?:\s?[a-z])?(?!\w)"
)
_NAMED_HOUSE: Final = re.compile(  # "Rosemary Lodge, Chapel Lane, Penzance TR18 4AB"
    r"(?<![\w'’-])(?:[A-Z][\w'’-]{1,24}[ ]){0,2}[A-Z][\w'’-]{1,24}(?:,[ ]|,?\n)(?:[A-Z][\w'’-]{1,24}[ ]){1,3}"
    rf"{_STREETS}(?:,?[ ]|,?\n)(?:[A-Z][\w'’-]{{1,24}},?[ \n]){{0,4}}{_BRITISH}"
)
_ADDRESS_NOISE: Final = re.compile(
    r"\b(?:days?|weeks?|months?|years?|hours?|minutes?|mins|miles|km|metres|litres?|percent|pounds|"
    r"euros?|pairs?|of|the|and|on|in|is|for|from|to|do|does|you|your|we|can|have|are|there|any|"
    r"what|where|which|season|person|mile (?:walk|trail|hike|way))\b",
    re.I,
)


def find_places_to_live(text: str) -> Iterator[Entity]:
    """Postal addresses of the regions that the shop delivers to, without what is only a town."""
    for pattern in (*_STREET, *_ONLY_WITH_A_CODE, _LOW_SUFFIX):
        for match in pattern.finditer(text):
            shown = match[0].rstrip(" ,.")
            # "9 The Crescent" is a street, "3 of the tents on the road" is none.
            if _ADDRESS_NOISE.search(re.sub(r"\bThe (?=[A-Z])", "", shown)):
                continue
            start, end, coded = grow(text, *match.span())
            if coded or pattern in _STREET:
                yield _address(text, start, end)
    for match in _ONLY_WITH_A_TOWN.finditer(text):
        lead = _LEAD.match(match[0])
        if followed_by_place(text, match.end()):
            start = match.start() + (lead.end() if lead else 0)
            start, end, _ = grow(text, start, match.end())
            yield _address(text, start, end)
    for match in _NAMED_HOUSE.finditer(text):
        start, end, _ = grow(text, *match.span())
        yield _address(text, start, end)


def _address(text: str, start: int, end: int) -> Entity:
    shown = text[start:end].rstrip(" ,.")
    return Entity("address", start, start + len(shown), shown, shown)
