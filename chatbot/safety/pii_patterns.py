"""E-mail, links, order and invoice ids, secrets: patterns of our own.

Every quantifier is bounded, so that a long run of one character costs a constant per place.
"""

# ruff: noqa: E501 - a pattern is read and changed as one line
from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from chatbot.types import Entity

_EMAIL: Final = re.compile(
    r"(?<![\w.%+-])[\w%+'-][\w.!#$%'*+^`{|}~-]{0,63}@(?:[\w-]{1,63}\.){1,6}[^\W\d_]{2,24}\b"
)
_SPELT_EMAIL: Final = re.compile(  # "jo dot bloggs at example dot org", "jo (at) example.org"
    r"(?<![\w.@])[\w+-]{1,40}(?:(?:\.| dot )[\w+-]{1,40}){0,4}"
    r"(?: ?[(\[{] ?at ?[)\]}] ?| at |@ ?)"
    r"[\w-]{1,40}(?:(?: dot | ?[(\[{] ?dot ?[)\]}] ?|\.)[\w-]{2,24}){1,3}\b",
    re.I,
)
_SPELT: Final = re.compile(r"[(\[{] ?at ?[)\]}]| dot |[(\[{] ?dot ?[)\]}]|@ ", re.I)
_AT_A_SITE: Final = re.compile(r" at (?:www\.)?[\w-]+\.", re.I)
_URL: Final = re.compile(
    r"(?<![\w@])(?:https?://|www\.)[^\s<>\"'()\[\]]{3,400}"
    r"|(?<![\w@.-])(?:[a-z0-9-]{1,40}\.){1,4}(?:com|org|net|io|co|uk|de|nl|ie|eu|example|shop|"
    r"info|biz|app|dev|me|ly|ru|cn|xyz|top|site|online|store|link|click)(?![\w@-])(?:/[^\s<>\"'()]{0,300})?",
    re.I,
)

_CODE: Final = (
    r"(?=[A-Z0-9/-]{0,23}\d{3}|[A-Z0-9/-]{0,23}\d[A-Z-]{1,4}\d)[A-Z0-9](?:[A-Z0-9/-]{2,22})[A-Z0-9]"
)
_ORDER: Final = re.compile(
    r"\b(?:orders?|purchase|parcel|booking|tracking|shipment|bestellung|bestelling|"
    r"bestel(?:l-?nr|l?-?nummer)|commande|pedido|ordine|encomenda)\.?\s?-?"
    r"(?:(?:id|no|nr|num|number|ref|reference|code|nummer|n[úu]mero|num[ée]ro)\b\.?|n[°º])?\s?"
    rf"(?:is|was|ist|:|=|-)?\s?(?:#\s?)?({_CODE})(?![\w-]|[.,]\d|\s?(?:units|pieces|items|pairs|%))",
    re.I,
)
_ORDER_LATER: Final = re.compile(
    r"\b(?:order (?:id|number|no|nr|ref|reference)|reference(?: number)?|ref(?:erence)? (?:no|nr))\b"
    rf"[^.!?\n\d#]{{0,24}}?(?:#\s?)?({_CODE})(?![\w-]|[.,]\d)",
    re.I,
)
_HASH: Final = re.compile(
    r"(?<![\w#&/])#\s?([A-Z]{0,4}-?\d{3,18}(?:-[A-Z0-9]{1,8}){0,3})(?![\w-])", re.I
)
_INVOICE: Final = re.compile(
    r"\b(?:invoices?|receipt|bill|rechnung|rechnungs-?(?:nr|nummer)|factuur(?:nummer)?|facture|"
    r"factura|fattura)\.?\s?"
    r"(?:(?:id|no|nr|num|number|ref|nummer|n[úu]mero|num[ée]ro)\b\.?|n[°º])?\s?(?:is|was|:|=|-)?\s?"
    rf"(?:#\s?)?({_CODE})(?![\w-]|[.,]\d)"
    r"|(?<!\w)((?:INV|RE|RG|RCPT)[-/ ]?\d{3,12}(?:[-/]\d{1,8})?)(?!\w)",
    re.I,
)

_HIDES: Final = (
    r"password|passwort|pwd|wachtwoord|kennwort|contraseña|mot de passe|senha|lösenord|hasło"
)
_SECRETS: Final = (
    re.compile(
        r"(?<!\w)(?:sk|pk|rk)[-_](?:live|test|proj|ant)?[-_]?[A-Za-z0-9_-]{16,200}"
        r"|(?<!\w)gh[pousr]_[A-Za-z0-9]{20,100}|(?<!\w)github_pat_\w{20,100}"
        r"|(?<!\w)(?:AKIA|ASIA)[0-9A-Z]{16}(?!\w)|(?<!\w)xox[abeprs]-[A-Za-z0-9-]{10,200}"
        r"|(?<!\w)AIza[\w-]{35}|(?<!\w)glpat-[\w-]{18,60}|(?<!\w)hf_[A-Za-z0-9]{20,60}"
        r"|(?<!\w)whsec_[A-Za-z0-9+/=_-]{12,100}"
        r"|(?<!\w)npm_[A-Za-z0-9]{30,50}|(?<!\w)SG\.[\w-]{16,40}\.[\w-]{16,60}"
        r"|(?<!\w)dg_(?:widget|agent|reviewer|admin)_[\w-]{20,60}"
        r"|(?<!\w)eyJ[\w-]{8,1500}\.[\w-]{8,2500}\.[\w-]{8,600}"
        r"|-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[^-]{0,6000}(?:-----END [A-Z ]{0,20}PRIVATE KEY-----)?"
    ),
    re.compile(
        r"\b(?:bearer|api[ _-]?key|access[ _-]?token|client[ _-]?secret|auth[ _-]?token)\b"
        r"\W{0,4}(?:is\s|=\s?|:\s?)?[\"']?([A-Za-z0-9_./+=-]{12,300})",
        re.I,
    ),
    re.compile(
        rf"\b(?:{_HIDES}|passphrase|passcode|pass word)\b"
        r"(?:\s?(?:is|was|ist|lautet|war|est|es|era|é|är|to|:|=)){1,2}\s{0,2}[\"'“‘]?"
        r"((?=[^\s\"'”’]{0,63}(?:\d|[^\w\s.,!?\"'”’]))[^\s\"'”’]{4,64}?)(?=[.,?]?(?:[\s\"'”’]|$))",
        re.I,
    ),
    re.compile(
        rf"\b(?:{_HIDES}|pw|pass)\s{{0,2}}[:=]\s{{0,2}}[\"'“‘]?"
        r"([^\s\"'”’]{4,64}?)(?=[.,;]?(?:[\s\"'”’]|$))",
        re.I,
    ),
    re.compile(rf"\b(?:{_HIDES})\s[\"“‘]([^\s\"”’]{{4,64}})[\"”’]", re.I),
    re.compile(  # "user anna, pass 1a2b3c"
        r"\b(?:user(?: ?name)?|login)\b[^\n]{1,40}?[/,;|]\s?pass\s((?=\S{0,63}\d)\S{4,64}?)(?=[.,;]?(?:\s|$))",
        re.I,
    ),
    re.compile(  # a token that is plainly one, a few words after the word for it
        rf"\b(?:{_HIDES})(?:\s[^\W\d_]{{1,12}}){{0,4}}[,:]?\s[\"'“‘]?"
        r"((?=\S{0,63}\d)(?=\S{0,63}[^\W\d_])(?=\w{0,62}[^\w\s.,!?\"'”’)])[^\s,\"'”’]{6,64}?)(?=[.,?]?(?:[\s\"'”’]|$))",
        re.I,
    ),
    re.compile(
        r"\b(?:cvv2?|cvc2?|cv2|security code|card code)\b[^\d\n]{0,24}(\d{3,4})(?!\d)", re.I
    ),
    re.compile(
        r"\b(?:pin(?: ?(?:code|number))?|otp|tan|(?:sign-?in|log-?in|one-?time|verification|"
        r"security|2fa|sms|access) (?:code|pin|password|passcode|tan))\b"
        r"(?: i got| you sent| from the (?:sms|text|email))?\s?(?:is|was|:|=)?\s?(\d{4,8}|\d{3}[ -]\d{3})(?!\w)",
        re.I,
    ),
    re.compile(
        r"\bcode (\d{4,8})(?=[ ,][^.\n]{0,48}\b(?:text|sms|one-?time|log-?in|sign-?in|verif\w{0,8})\b)",
        re.I,
    ),
)

_OF_THE_DESK: Final = re.compile(  # the desk's own number of a matter, nobody's order
    r"\b(?:ticket|complaint|incident)s?\b[ ]?(?:(?:reference|ref|number|no|nr|id)\b\.?)?[ ]?(?:is|:)?[ ]?#?$",
    re.I,
)
_COLOUR: Final = re.compile(r"\b(?:colou?r|hex|rgb|farbe|couleur)\b[^.!?\n]{0,12}$", re.I)


def find_emails(text: str) -> Iterator[Entity]:
    for match in _EMAIL.finditer(text) if "@" in text else ():
        yield Entity("email", *match.span(), match[0], match[0].lower())
    if not _SPELT.search(text):
        return
    for match in _SPELT_EMAIL.finditer(text):
        if _SPELT.search(match[0]) and not _AT_A_SITE.search(match[0]):
            value = re.sub(r" ?[(\[{]? ?\bat\b ?[)\]}]? ?", "@", match[0], count=1, flags=re.I)
            value = re.sub(r" ?[(\[{]? ?\bdot\b ?[)\]}]? ?", ".", value, flags=re.I)
            yield Entity(
                "email", *match.span(), match[0], value.replace(" ", "").lower(), score=0.8
            )


def find_urls(text: str) -> Iterator[Entity]:
    for match in _URL.finditer(text):
        shown = match[0].rstrip(".,;:!?")
        yield Entity("url", match.start(), match.start() + len(shown), shown, shown)


def find_orders(text: str, company: Sequence[re.Pattern[str]] = ()) -> Iterator[Entity]:
    """Order ids by the company's own patterns, and what a text calls an order's number."""
    for pattern in company:
        for match in pattern.finditer(text):
            if match[0]:
                value = re.sub(r"[\s#]", "", match[0]).upper()
                yield Entity("order_id", *match.span(), match[0], value, source="company")
    for pattern in (_ORDER, _ORDER_LATER, _HASH):
        for match in pattern.finditer(text):
            if _OF_THE_DESK.search(text[max(0, match.start(1) - 40) : match.start(1)]):
                continue
            if pattern is _HASH and _COLOUR.search(
                text[max(0, match.start() - 24) : match.start()]
            ):
                continue
            if pattern is _HASH or not _is_year_or_date(match[1]):
                yield Entity("order_id", *match.span(1), match[1], match[1].upper(), score=0.9)


def find_invoices(text: str) -> Iterator[Entity]:
    for match in _INVOICE.finditer(text):
        group = 1 if match[1] else 2
        if not _is_year_or_date(match[group]):
            value = match[group].upper()
            yield Entity("invoice_id", *match.span(group), match[group], value, score=0.9)


def find_secrets(text: str) -> Iterator[Entity]:
    for pattern in _SECRETS:
        for match in pattern.finditer(text):
            group = 1 if pattern.groups else 0
            if _EMAIL.fullmatch(match[group]) is None:  # "a new password to me@…" is an address
                yield Entity("secret", *match.span(group), match[group], None)


def _is_year_or_date(code: str) -> bool:
    return bool(
        re.fullmatch(r"(?:19|20)\d\d(?:[-/]\d{1,2}){0,2}|\d{1,2}[-/]\d{1,2}[-/]\d{2,4}", code)
    )
