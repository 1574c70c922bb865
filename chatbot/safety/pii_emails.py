"""E-mail addresses, with their signs and spelled out in the words of ten languages.

Every quantifier is bounded, so that a long run of one character costs a constant per place.
"""

# ruff: noqa: E501 - a pattern is read and changed as one line
from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from chatbot.types import Entity

_EMAIL: Final = re.compile(
    r"(?<![\w.%+-])[\w%+'-][\w.!#$%'*+^`{|}~-]{0,63}@(?:[\w-]{1,63}\.){1,6}[^\W\d_]{2,24}\b"
)
_DOT: Final = r"(?:dot|punkt|point|punto|ponto|punt|kropka|prik|piste|tečka|pont)"
_JOINT: Final = (  # between the parts of what stands before the "at"
    rf"(?:\.|_|[ ](?:{_DOT}|underscore|unterstrich|underline|tiret bas|dash|hyphen|minus|bindestrich|tiret|trattino|"
    r"gui[oó]n(?: bajo)?|koppelteken|streepje|myślnik|plus)[ ]|[ ]?[(\[{][ ]?(?:dot|punkt|point|punto|ponto|punt|kropka)[ ]?[)\]}][ ]?)"
)
_LOCAL: Final = rf"(?<![\w.@])[\w+-]{{1,40}}(?:{_JOINT}[\w+-]{{1,40}}){{0,4}}"
_END: Final = rf"[\w-]{{1,40}}(?:(?:[ ]{_DOT}[ ]|[ ]?[(\[{{][ ]?{_DOT}[ ]?[)\]}}][ ]?|\.)[\w-]{{2,24}}){{1,3}}\b"
_SPOKEN: Final = r"(?:arobase|arrobas?|chiocciola|małpa|klammeraffe|apenstaartje|snabel-?a|kukac|zavináč|miukumauku)"
_BRACKETED: Final = re.compile(
    rf"({_LOCAL})[ ]?[(\[{{<][ ]?(?:at|a-t|ät|@|{_SPOKEN})[ ]?[)\]}}>][ ]?({_END})", re.I
)
_NAMED: Final = re.compile(rf"({_LOCAL})[ ](?:{_SPOKEN})[ ]({_END})", re.I)
_SPACED: Final = re.compile(rf"({_LOCAL})(?:[ ]@[ ]?|@[ ])({_END})", re.I)
_BARE: Final = re.compile(  # only "at": the dots of the site must be words, or it is a site
    rf"({_LOCAL})[ ]at[ ]([\w-]{{1,40}}(?:(?:[ ](?:dot|punkt|punto|kropka)[ ]|[ ]?[(\[{{][ ]?(?:dot|punkt)[ ]?[)\]}}][ ]?|\.)[\w-]{{2,24}}){{1,3}})\b",
    re.I,
)
_SPELT: Final = re.compile(
    rf"[(\[{{<][ ]?(?:at|a-t|ät|@|{_SPOKEN})[ ]?[)\]}}>]|[ ]{_DOT}[ ]|[(\[{{][ ]?{_DOT}[ ]?[)\]}}]|@[ ]|[ ]{_SPOKEN}[ ]",
    re.I,
)
_NO_LOCAL: Final = re.compile(  # "look at example dot org"
    r"(?:it|look(?:ed|ing)?|me|us|shop(?:ped)?|buy|bought|order(?:ed)?|see|saw|find|found|page|this|"
    r"reach(?:ed)?|available|am|work(?:s|ed|ing)?|live|based|anyone|someone|is|was|be|are|write|mail|contact)",
    re.I,
)


def find_emails(text: str) -> Iterator[Entity]:
    """``value`` is in lower case, and with its signs where it was spelled out."""
    for match in _EMAIL.finditer(text) if "@" in text else ():
        yield Entity("email", *match.span(), match[0], match[0].lower())
    if not _SPELT.search(text):
        return
    for pattern in (_BRACKETED, _NAMED, _SPACED, _BARE):
        for match in pattern.finditer(text):
            local, end = match.groups()
            spelt = _SPELT.search(end) or _SPELT.search(local)
            if pattern is _BARE and (_NO_LOCAL.fullmatch(local) or not spelt):
                continue
            value = f"{_signs(local)}@{_signs(end)}".lower()
            yield Entity("email", *match.span(), match[0], value, score=0.8)


def is_email(text: str) -> bool:
    """Whether the whole of it is an address with its signs."""
    return _EMAIL.fullmatch(text) is not None


def _signs(spelt: str) -> str:
    said = re.sub(rf"[ ]?[(\[{{]?[ ]?\b{_DOT}\b[ ]?[)\]}}]?[ ]?", ".", spelt, flags=re.I)
    said = re.sub(
        r"[ ](?:underscore|unterstrich|underline|tiret bas|gui[oó]n bajo)[ ]", "_", said, flags=re.I
    )
    said = re.sub(r"[ ]plus[ ]", "+", said, flags=re.I)
    return re.sub(r"[ ]\w{4,12}[ ]", "-", said)
