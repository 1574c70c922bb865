"""Links, order and invoice ids: patterns of our own.

Every quantifier is bounded, so that a long run of one character costs a constant per place.
"""

# ruff: noqa: E501 - a pattern is read and changed as one line
from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from chatbot.company_regex import CompanyRegex
from chatbot.types import Entity

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
    r"bestel(?:l-?nr|l?-?nummer)|commande|pedido|ordine|encomenda|zamówieni(?:e|a|u)|beställning(?:en)?)\.?\s?-?"
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

_OF_THE_DESK: Final = re.compile(  # the desk's own number of a matter, nobody's order
    r"\b(?:ticket|complaint|incident)s?\b[ ]?(?:(?:reference|ref|number|no|nr|id)\b\.?)?[ ]?(?:is|:)?[ ]?#?$",
    re.I,
)
_TO_ORDER: Final = re.compile(  # "can I order 07700 tiles": a number of things
    r"\b(?:(?:can|could|may|should|shall|do|did|will|would|must|might) (?:i|we|you|they|one)|(?:want|wanted|like|wish|need|"
    r"try|tried|trying|going|able|possible|hoping|have|had|how) to) (?:still |also |only |just |even )?order$",
    re.I,
)
_COLOUR: Final = re.compile(r"\b(?:colou?r|hex|rgb|farbe|couleur)\b[^.!?\n]{0,12}$", re.I)


def find_urls(text: str) -> Iterator[Entity]:
    for match in _URL.finditer(text):
        shown = match[0].rstrip(".,;:!?")
        yield Entity("url", match.start(), match.start() + len(shown), shown, shown)


def find_orders(text: str, company: Sequence[CompanyRegex] = ()) -> Iterator[Entity]:
    """Order ids by the company's own patterns, and what a text calls an order's number."""
    for own in company:
        for found in own.finditer(text):
            if found[0]:
                value = re.sub(r"[\s#]", "", found[0]).upper()
                yield Entity(
                    "order_id", found.start(), found.end(), found[0], value, source="company"
                )
    for pattern in (_ORDER, _ORDER_LATER, _HASH):
        for match in pattern.finditer(text):
            if _OF_THE_DESK.search(text[max(0, match.start(1) - 40) : match.start(1)]):
                continue
            if pattern is _HASH and _COLOUR.search(
                text[max(0, match.start() - 24) : match.start()]
            ):
                continue
            if match[1].isdecimal() and _TO_ORDER.search(
                text[max(0, match.start(1) - 40) : match.start(1)].rstrip()
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


def _is_year_or_date(code: str) -> bool:
    return bool(
        re.fullmatch(r"(?:19|20)\d\d(?:[-/]\d{1,2}){0,2}|\d{1,2}[-/]\d{1,2}[-/]\d{2,4}", code)
    )
