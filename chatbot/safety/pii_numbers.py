"""Card, IBAN, bank account and telephone numbers: what must be checked, not only matched.

The customary patterns fire on order numbers. Here a number needs its checksum and its issuer's
prefix, and a number that the text calls an order is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from chatbot.types import Entity

REGIONS: Final = ("GB", "IE", "DE", "NL", "US")
ORDER_WORDS: Final = re.compile(
    r"\b(?:order|parcel|tracking|shipment|consignment|booking|ticket|case|reference|ref|invoice|"
    r"receipt|serial|barcode|bestellung|bestell-?nr|bestelnummer|article|item|product|sku|isbn|"
    r"artikel(?:nummer|-?nr)?|serien?nummer|r[ée]f[ée]rence|art[íi]culo|articolo|"
    r"ean|voucher|gift card|gift-?card|model|lm)\b[^.!?\n\d]{0,18}$",
    re.I,
)
"""Before a number, with no other between: of "refund LM-4471203 to 4929 …" the second is none."""
_CARD_WORDS: Final = re.compile(
    r"\b(?:cards?|visa|master ?card|amex|american express|maestro|debit|credit|pan|kreditkarte|"
    r"creditcard|karte|tarjeta|carte|carta|cart[ãa]o|kaart|kort|karta)\b",
    re.I,
)
_CARD: Final = re.compile(r"(?<![\w-])(?<!\d\.)\d(?:[ .-]{0,2}\d){11,18}(?![\w-])(?!\.\d)")
_ISSUERS: Final = re.compile(  # ISO/IEC 7812 prefixes with the lengths that are issued
    r"4\d{12}(?:\d{3}){0,2}"
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"
    r"|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|(?:6011|65\d\d|64[4-9]\d|35(?:2[89]|[3-8]\d))\d{12}"
    r"|(?:5018|5020|5038|5893|6304|6759|676[1-3])\d{8,15}|62\d{14,17}"
)
_IBAN: Final = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,30}")
_SORT_CODE: Final = re.compile(
    r"\bsort(?:[ -]?code)?\b\W{0,4}(?:is\s)?(\d{2}[ -]?\d{2}[ -]?\d{2})\b"
    r"|\b(?:routing|aba|blz|bankleitzahl|bsb)(?: ?(?:number|no|code))?\b\W{0,4}(?:is\s)?"
    r"(\d{3}[ -]?\d{3}(?:\d{2,3})?)\b",
    re.I,
)
_ACCOUNT: Final = re.compile(
    r"\b(?:account|acc|acct|a/c|konto)(?:[ -]?(?:number|no|nr|nummer))?\b\W{0,4}(?:is\s)?(\d{8})\b"
    r"|\b(?:(?:account|acc|acct|a/c)[ -]?(?:number|no)|konto-?(?:nr|nummer)|rekeningnummer|"
    r"num[ée]ro de compte|n[úu]mero de cuenta|numero di conto)\b\W{0,4}(?:is\s)?(\d{6,14})\b",
    re.I,
)
_PHONE: Final = re.compile(r"(?<![\w.,#/+-])(?:\+|\()?\d(?:[ ()./-]{0,3}\d){5,17}(?![\w])(?!\.\d)")
_GOODS: Final = re.compile(  # numbers of things: a batch, a part, a parcel of a large carrier
    r"(?:\b(?:batch|lot|serial|part|sku|ean|imei)\b\W{0,2}(?:no|nr|number|num)?\W{0,3}"
    r"|\b1Z(?: ?[0-9A-Z]{2,4}){0,3} ?)$",
    re.I,
)
_PHONE_WORDS: Final = re.compile(
    r"\b(?:phone|telephone|tel|call|called|calling|ring|mobile|mob|cell|text|sms|whats ?app|fax|"
    r"reach|landline|handy|telefon|telefoon|t[ée]l[ée]fono|t[ée]l[ée]phone|m[óo]vil|portable|"
    r"telem[óo]vel|telefone|telefonnummer|mobiel|mobil|gsm|numer|puhelin|celular|"
    r"cellulare|ll[áa]m\w*|appelez|num[ée]ro|n[úu]mero|komórka|"
    r"(?:za|od)?dzwo[nń]\w{1,6}|telefon\w{1,4}|numerem|appel\w{0,3}|rappel\w{0,3}|joindre|joignable|chiam\w{1,5}|ricontatt\w{1,5}|"
    r"bel(?:len)?|terugbellen|ring(?:a|er)?|tlf|tfn|mobilnummer|mobiltelefon|ligar|ligue\w?|liguem|contact[ae]r?|anrufen|"
    r"erreich\w{1,5}|rückruf|soita\w{0,4}|puhelinnumero\w{0,3}|zavol\w{1,5}|volejte|"
    r"rufnummer|nummer|(?<!customer )(?<!account )(?<!member )number is|number's|contact|"
    r"messages to|answering at)\b"
    r"[^.!?\n]{0,30}$",
    re.I,
)
_BRITISH_GROUPS: Final = re.compile(r"\(?0\d{1,4}\)?[ /-]\d{3,4}(?:[ -]?\d{3,4})?")
_PAIRS: Final = re.compile(  # as in France, Belgium, Switzerland and Sweden
    r"0[1-9]([ .-])\d\d(?:\1\d\d){3}|0\d{1,3}[ /-]\d{2,3}(?:[ .]\d\d){2}"
)
_SAID_AFTER: Final = re.compile(  # "555-0148 is still my number"
    r"\s?(?:is|=|ist|est|es|è|är|to)\s(?:still |now |also )?"
    r"(?:my|our|meine?|mon|mi|il mio|mijn|mitt|mój)\s"
    r"(?:(?:new|old|mobile|phone|work|home|neue|nuevo) )?(?:number|phone|mobile|cell|landline|"
    r"handy|telefon\w{0,6}|t[ée]l[ée]phone|num[ée]ro|n[úu]mero|nummer|numer|móvil|mobil)\b",
    re.I,
)
_AMERICAN: Final = re.compile(r"(?:\+?1[ .-]?)?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}")
_BEFORE: Final = 60  # characters of context: about ten words


def before(text: str, start: int) -> str:
    return text[max(0, start - _BEFORE) : start]


def find_cards(text: str) -> Iterator[Entity]:
    """Luhn and issuer prefix; where the text speaks of a card, either Luhn alone or four
    groups of an issuer with a typo."""
    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        context = before(text, match.start())
        named = bool(_CARD_WORDS.search(context))
        if not named and ORDER_WORDS.search(context):
            continue
        issued = bool(_ISSUERS.fullmatch(digits))
        if (issued or named) and luhn(digits):
            yield Entity("card", *match.span(), match[0], digits)
        elif named and issued and re.fullmatch(r"\d{4}([ .-])\d{4}\1\d{4}\1\d{4}", match[0]):
            yield Entity("card", *match.span(), match[0], digits, score=0.7)


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1 annex B."""
    doubled = (int(c) * (1 + i % 2) for i, c in enumerate(reversed(digits)))
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def find_ibans(text: str) -> Iterator[Entity]:
    """ISO 13616: country format (presidio's table) and remainder 1 modulo 97."""
    for match in _IBAN.finditer(text):
        for end in range(match.end(), match.start() + 14, -1):
            shown = text[match.start() : end]
            if not shown[-1].isalnum():
                continue
            value = re.sub(r"[ -]", "", shown).upper()
            if len(value) <= 34 and _valid_iban(value):
                yield Entity("iban", match.start(), end, shown, value)
                break


def _valid_iban(value: str) -> bool:
    shape = _iban_shapes().get(value[:2])
    if shape is None:
        return False
    moved = value[4:] + value[:4]
    checked = int("".join(str(int(c, 36)) for c in moved)) % 97 == 1
    return checked and re.fullmatch(shape, value) is not None  # the costly part last


@cache
def _iban_shapes() -> dict[str, str]:
    from presidio_analyzer.predefined_recognizers.generic.iban_patterns import regex_per_country

    return dict(regex_per_country)


def find_bank_accounts(text: str) -> Iterator[Entity]:
    """Sort codes, routing and account numbers, only where the text names them."""
    for pattern in (_SORT_CODE, _ACCOUNT):
        for match in pattern.finditer(text):
            group = 1 if match[1] else 2
            digits = re.sub(r"\D", "", match[group])
            yield Entity("bank_account", *match.span(group), match[group], digits)


def find_phones(text: str) -> Iterator[Entity]:
    """Numbers of REGIONS and international ones; ``value`` is E.164.

    An international prefix or a word like "call" makes a possible number enough; a national
    number must be assigned (libphonenumber's metadata) and start with 0 or be grouped.
    """
    for match in _PHONE.finditer(text):
        context = before(text, match.start())
        named = bool(_PHONE_WORDS.search(context) or _SAID_AFTER.match(text, match.end()))
        if not named and (ORDER_WORDS.search(context) or _GOODS.search(context)):
            continue
        for start, end in _cuts(match):
            shown = text[start:end]
            value = _e164(shown, named)
            if value:
                yield Entity("phone", start, end, shown, value)
                break


def _cuts(match: re.Match[str]) -> Iterator[tuple[int, int]]:
    """The whole run of digits, then without its last one or two groups."""
    yield match.span()
    groups = list(re.finditer(r"[\d()+]+", match[0]))
    for dropped in (1, 2):
        if len(groups) - dropped >= 2:
            yield match.start(), match.start() + groups[-1 - dropped].end()


def _e164(shown: str, named: bool) -> str | None:
    import phonenumbers

    digits = re.sub(r"\D", "", shown)
    if not 7 <= len(digits) <= 15 or shown.count("(") != shown.count(")"):
        return None
    international = shown.startswith("+") or digits.startswith("00")
    grouped = len(re.findall(r"\d+", shown)) > 1
    if international:
        number = _parsed("+" + digits.removeprefix("00"), None)
        if number is None:  # "+44 (0)20 …": the zero in brackets is not dialled from abroad
            return None
        possible: bool = phonenumbers.is_possible_number(number)
        return _format(number) if possible else None
    for region in REGIONS:
        number = _parsed(digits, region)
        if number is None:
            continue
        dialled = digits.startswith("0") if region != "US" else grouped or named
        if dialled and phonenumbers.is_valid_number(number):
            return _format(number)
    if _AMERICAN.fullmatch(shown):  # 555 numbers are not assigned, yet people write them
        return f"+1{digits[-10:]}"
    # Invented or very new numbers: shaped like one, and either named or grouped as one is.
    if digits.startswith("0") and 9 <= len(digits) <= 12 and (named or _grouped_as_phone(shown)):
        number = _parsed(digits, "GB")
        return _format(number) if number is not None else digits
    shortest = 7 if re.fullmatch(r"\(?\d{2,4}\)?(?:[ -]\d{2,5}){1,3}", shown) else 9
    return digits if named and shortest <= len(digits) <= 13 and grouped else None


def _grouped_as_phone(shown: str) -> bool:
    return _BRITISH_GROUPS.fullmatch(shown) is not None or _PAIRS.fullmatch(shown) is not None


def _parsed(digits: str, region: str | None) -> Any | None:
    import phonenumbers

    try:
        return phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException:
        return None


def _format(number: Any) -> str:
    import phonenumbers

    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
