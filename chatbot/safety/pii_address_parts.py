"""What stands around a street and its number: doors, buildings, towns with a code, countries.

``grow`` takes the span of a street with its number and gives the span of the whole address. Text
is read after NFKC, so that the ordinal of "4º izda." is an "o" here. Every quantifier is bounded.
"""

# ruff: noqa: E501 - a pattern is read and changed as one line
from __future__ import annotations

import re
from typing import Final

_BEFORE: Final = 90  # characters before a street in which its building and its doors stand
_GAP: Final = r"(?:,?[ ]{1,2}|,|,?[ ]?\r?\n[ ]{0,2})"
_BREAK: Final = r"(?:,[ ]{0,2}|,?[ ]?\r?\n[ ]{0,2})"
_UPPER: Final = r"[A-ZÀ-ÖØ-ÞŁŚŻŹĆČŘŠŽĐİ]"
_WORD: Final = rf"{_UPPER}[\w'’-]{{0,24}}"
_STOP: Final = (  # what a message says after an address, with a capital of its own
    r"(?!(?:Please|Thanks|Thank|Not|And|But|Or|My|The|It|I|Bitte|Danke|Merci|Gracias|Grazie|Bedankt|Tel|Phone|"
    r"Mobile|Order|Invoice|Ref|Bestellung|Commande|Pedido|Mvh|Regards|Cheers|Is|Can|We|You|No|Mob|Email|Mail)\b)"
)
_LINKED: Final = (  # "Frankfurt am Main", "Palma de Mallorca", "Weston upon Trent"
    r"(?:(?:am|an der|ob der|bei|upon|under|le|la|les|de|de la|del|di|sur|aan den|aan de|nad)[ ]|['’]s-|[lLdD]['’])"
)
_TOWN: Final = (
    rf"(?:(?:La|Le|Les|Los|Las|El|Den|Bad|'s)[ -])?{_STOP}{_WORD}(?:[ ](?:{_LINKED})?{_STOP}{_WORD}){{0,2}}"
    r"(?:[ ]\([A-Z]{2}\))?"
)
_CODE: Final = (  # British, Irish, Canadian, American, Australian, Dutch: after the town
    r"(?:[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}|[A-Z]\d[\dW]\s?[A-Z0-9]{4}|[A-Z]\d[A-Z]\s?\d[A-Z]\d|"
    r"[A-Z]{2}\s\d{5}(?:-\d{4})?|[A-Z]{2,3}\s\d{4}|\d{5}|\d{4}\s?[A-Z]{2})\b"
)
_LOW_CODE: Final = r"[a-z]{1,2}\d[a-z\d]?\s?\d[abd-hjlnp-uw-z]{2}\b"
_FRONT_CODE: Final = (  # the continent's order: "28012 Madrid", "31-047 Kraków", "SE-753 32 Uppsala"
    r"(?:[A-Z]{1,2}[- ])?(?:\d{4}[ ]?[A-Z]{2}|\d{2}-\d{3}|\d{3}[ ]\d{2}|\d{4,5}(?:-\d{3})?)\b"
)
_SURE_CODE: Final = r"(?:[A-Z]{1,2}-\d{4,5}|[A-Z]{1,2}-\d{3}[ ]\d{2}|\d{4}[ ]?[A-Z]{2}|\d{2}-\d{3}|\d{3}[ ]\d{2}|\d{5}|\d{4}-\d{3})\b"
_NO_TOWN: Final = r"(?!(?:Lumen|Watt|Stunden|Stück|Punkte|Euro|EUR|Umdrehungen|Seiten|Hours|Points|Pieces|Steps|Miles|Meter|Liter|Milli\w{1,20}|Leagues|Words|Wörter|Schritte|Kronen|Mark|Franken)\b)"
_SIDE: Final = (
    r"(?:[ ](?:links|rechts|mitte|li|re|left|right|front|rear|flat|flat[ ]\d{1,3})\b\.?)?"
)
DOOR: Final = (
    r"(?:(?:flat|apartment|apt\.?|unit|suite|ste\.?|room|studio|floor|wohnung|whg\.?|appartement|appt?\.?|b[âa]t(?:iment)?\.?|"
    r"esc(?:alier|alera)?\.?|porte|hall|lot|interno|int\.?|scala|piano|palazzina|piso|puerta|pta\.?|portal|bloque|"
    r"mieszkanie|m\.|lok(?:al)?\.?|lgh|lägenhet|as\.|bus|bte|boîte|top|tür|stiege|kamer|app\.?|#)\s?"
    r"(?:\d{1,4}[a-z]?|[a-z]\d{0,3})\b"
    rf"|(?:(?:lower[ ])?ground|first|second|third|fourth|fifth|sixth|top|basement|\d{{1,2}}(?:st|nd|rd|th))[ ]floor\b{_SIDE}"
    rf"|(?:(?:EG|DG|UG|erdgeschoss|dachgeschoss|hinterhaus|vorderhaus|\d{{1,2}}\.?[ ]?(?:og|stock|etage))\b{_SIDE})"
    r"|\d{1,2}(?:er|e|[èe]me)[ ][ée]tage\b|rez-de-chaussée\b|r/c\b"
    r"|\d{1,2}\.?[oaºª°][ ]?(?:izq(?:da|uierda)?|izda|dcha?|drcha|derecha|dto|esq|centro|piso|andar|[a-z]{1,2})?\b\.?"
    r"|\d{1,2}[a-zè]{1,2}[ ]\d{1,2}[aª]\b"
    r"|(?:bajo|[áa]tico|entresuelo)(?:[ ][A-Za-z])?\b"
    r"|\d{1,2}[ ]?(?:tr|hoog)\b|(?:st|kl|\d{1,2})\.[ ]?(?:th|tv|mf|sal)\b\.?)"
)
_BUILDING_NOUNS: Final = (
    r"(?:House|Court|Cottage|Lodge|Mill|Farm|Barn|Barns|Farmhouse|Forge|Rectory|Vicarage|Manor|Hall|Villas?|Buildings?|Towers?|"
    r"Mansions?|Chambers|Wharf|Works|Point|Place|Heights|Apartments|Studios|Stables|Granary|Bakery|Park|Estate|Centre|Center|Arcade)"
)
_DOOR_BEFORE: Final = re.compile(rf"(?<![\w.-])(?i:{DOOR}){_GAP}\Z")
_BUILDINGS_BEFORE: Final = (
    re.compile(rf"(?<![\w'’-])The[ ](?:{_WORD}[ ]){{0,2}}{_WORD}{_BREAK}\Z"),
    re.compile(rf"(?<![\w'’-])(?:{_WORD}[ ]){{1,2}}{_BUILDING_NOUNS}{_BREAK}\Z"),
    re.compile(
        r"(?<!\w)(?:R[ée]sidence|Immeuble|Villa|Haus|Hof|Huize|Edificio|Edif\.|Palazzo|Condominio|Urbanizaci[óo]n|Urb\.|Blok|Tour)[ ]"
        rf"(?:(?:[Ll]es?|[Ll]a|[Ll]os|[Ll]as|du|des?|del|della|dei)[ ]){{0,2}}{_WORD}(?:[ ]{_WORD})?{_GAP}\Z"
    ),
)
_LEAD: Final = re.compile(  # "Deliver Rose House, 4 …": the order, not the house
    r"(?:(?:Deliver|Send|Ship|Post|Address|To|At|From|Please|New|We|It|Our|My|Use|Collect|Adresse|Lieferadresse|Anschrift|"
    r"Bitte|An|Near|Outside)[ ]){1,2}"
)

_DOOR_AFTER: Final = re.compile(rf"{_GAP}(?i:{DOOR})")
_PLACES_AFTER: Final = (
    re.compile(rf"{_GAP}(?:{_FRONT_CODE}|\d{{5}},)[ ]{_NO_TOWN}{_TOWN}"),
    re.compile(rf"{_GAP}{_SURE_CODE}(?![ -]?\d)"),
    re.compile(rf"{_GAP}(?:{_STOP}{_WORD}\.?[,\s]{{1,2}}){{0,4}}{_CODE}(?![ -]?\d)"),
)
_ONLY_DIGITS: Final = re.compile(r"(?<![A-Z]{2})\s\d{5}\Z|\A\W{1,3}\d{4}[ ](?![A-Z]{2}\b)")
_SURE_PLACE: Final = re.compile(rf"{_GAP}{_SURE_CODE}[ ]{_NO_TOWN}{_TOWN}")
_LOW_PLACES_AFTER: Final = (
    re.compile(
        rf"{_GAP}(?:(?!(?:is|my|post|code|postcode|zip|and|or|the|at|with|not)\b)[a-z][a-z'’-]{{1,20}}[, \n]{{1,2}}){{0,3}}"
        rf"(?:{_LOW_CODE}|(?i:{_CODE}))"
    ),
    re.compile(rf"{_GAP}\d{{4,5}}[ ](?:[a-z]{{2}}[ ])?[^\W\d_A-Z][^\W\d_]{{2,20}}\b"),
)
_TOWN_AFTER: Final = re.compile(
    rf",\s(?!(?:{DOOR})){_TOWN}"
    r"(?=[.,;!?]|\s{0,3}(?:$|\n)|[ ](?:please|pls|thanks|thx|bitte|instead|now|svp|per favore|por favor)\b)"
)
_COUNTRIES: Final = (
    "albania shqipëria andorra austria österreich belarus belgium belgië belgique belgien bulgaria българия croatia "
    "hrvatska cyprus κύπρος czechia česko tschechien denmark danmark dänemark estonia eesti finland suomi france "
    "frankreich germany deutschland allemagne alemania germania duitsland niemcy greece ελλάδα hellas hungary "
    "magyarország iceland ísland ireland éire italy italia italien italie kosovo latvia latvija liechtenstein lithuania "
    "lietuva luxembourg luxemburg lëtzebuerg malta moldova monaco montenegro netherlands nederland niederlande holland "
    "norway norge noreg norwegen poland polska polen portugal romania românia serbia srbija slovakia slovensko slovenia "
    "slovenija spain españa spanien espagne spagna sweden sverige schweden switzerland schweiz suisse svizzera svizra "
    "türkiye turkey ukraine україна england scotland wales cymru uk usa canada australia"
)
_LONG_COUNTRIES: Final = (
    r"united[ ]kingdom|great[ ]britain|u\.k\.|northern[ ]ireland|republic[ ]of[ ]ireland|(?:the[ ])?netherlands|czech[ ]republic|"
    r"česká[ ]republika|pays-bas|países[ ]bajos|north[ ]macedonia|san[ ]marino|crna[ ]gora|isle[ ]of[ ]man|royaume-uni|"
    r"bosnia[ ]and[ ]herzegovina|bosna[ ]i[ ]hercegovina|vatican[ ]city|united[ ]states(?:[ ]of[ ]america)?|reino[ ]unido"
)
_COUNTRY_AFTER: Final = re.compile(
    rf"(?:{_GAP}|[ ][-–/][ ]?|[ ]?\()(?i:{_LONG_COUNTRIES}|{'|'.join(_COUNTRIES.split())})(?![\w-])"
)


def grow(text: str, start: int, end: int) -> tuple[int, int, bool]:
    """The span with what belongs to it on both sides, and whether a postcode was among it that
    is more than five digits behind any word or four before one."""
    end, coded = _forward(text, end, low=text[start:end].islower())
    return _backward(text, start), end, coded


def followed_by_place(text: str, end: int) -> bool:
    """Whether a postcode that is no mere number, and a town, come right behind doors, if any."""
    return _SURE_PLACE.match(text, _doors(text, end)) is not None


def _doors(text: str, end: int) -> int:
    for _ in range(3):
        door = _DOOR_AFTER.match(text, end)
        if door is None:
            break
        end = door.end()
    return end


def _forward(text: str, end: int, low: bool) -> tuple[int, bool]:
    end = _doors(text, end)
    patterns = (*_PLACES_AFTER, *_LOW_PLACES_AFTER) if low else _PLACES_AFTER
    places = [m for m in (p.match(text, end) for p in patterns) if m]
    coded = any(_ONLY_DIGITS.search(m[0]) is None for m in places)
    if places:
        end = max(m.end() for m in places)
    else:
        town = _TOWN_AFTER.match(text, end)
        end = town.end() if town else end
    country = _COUNTRY_AFTER.match(text, end)
    return (country.end() if country else end), coded


def _backward(text: str, start: int) -> int:
    for _ in range(4):
        least = max(0, start - _BEFORE)
        found = _DOOR_BEFORE.search(text, least, start)
        for pattern in () if found else _BUILDINGS_BEFORE:
            found = pattern.search(text, least, start)
            if found:
                break
        if not found:
            break
        lead = _LEAD.match(found[0])
        start = found.start() + (lead.end() if lead else 0)
    return start
