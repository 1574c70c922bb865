"""Names that nothing but their place tells: without a capital, alone on a line, above an address.

What stands in such a place is a name only if none of its words is a common one. Every quantifier
is bounded.
"""

# ruff: noqa: E501 - a pattern is read and changed as one line
from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from chatbot.safety.pii_words import CAPITAL, may_be_a_name
from chatbot.types import Entity

_LOW: Final = r"[^\W\d_A-Z][^\W\d_A-Z]{1,20}(?:[-'’][^\W\d_A-Z]{1,20}){0,2}"
_OF: Final = r"(?:(?:van|von|de|der|den|del|della|di|da|dos|la|le|ter|bin|al|mc|o')[ ]){0,2}"
_LOW_TWO: Final = rf"{_LOW}[ ]{_OF}{_LOW}"
_ANY: Final = r"[^\W\d_][\w'’-]{1,24}"
_INITIAL: Final = r"(?:[^\W\d_]\.[ ]?)"
_ONE_OR_TWO: Final = rf"{_INITIAL}?{_ANY}(?:[ ]{_OF}{_ANY}){{0,2}}"
_CAPITALS: Final = rf"{_INITIAL}?{CAPITAL}[\w'’-]{{1,24}}(?:[ ]{_OF}(?:[A-Z]\.[ ])?{CAPITAL}[\w'’-]{{1,24}}){{1,2}}"
_ON: Final = r"(?:and|und|et|y|e|en|och|i|ich|je|from|aus)"
_TOLD: Final = re.compile(  # cues after which little but a name comes
    r"\b(?i:my (?:full )?name is|my name's|the name's|i'm called|i am called|(?:under|in|on) the name(?: of)?|on behalf of|"
    r"name on (?:the|my) (?:account|order|card|parcel|booking|label)(?: is|:)|account ?holder(?: is|:)|card ?holder(?: is|:)|"
    r"(?:first |last |full |sur)?name[ ]?:|ich hei(?:ß|ss)e|mein name ist|je m'appelle|me llamo|mi nombre es|mi chiamo|"
    r"mijn naam is|ik heet|jag heter|mitt namn är|jeg hedder|mit navn er|nazywam się|(?:o )?meu nome é|"
    r"(?:(?<=[,;.] )|(?<=\n)|(?<![\s\S]))name(?= ))[ ]"
    rf"(?:({_LOW_TWO})(?!\w)|({_LOW})(?=[,.!;]|[ ]{_ON}[ ]|\s{{0,3}}(?:$|\n)))"
)
_SAID: Final = re.compile(  # cues after which anything may come
    r"(?i:\bi am|\bi'm|\bi’m|(?:\A|\n|\b(?:hi|hey|hello|morning|afternoon|evening)[,!.]? )this is)[ ]"
    rf"({_LOW_TWO})(?=,| and (?:i|my|we|our)\b| from\b| here\b| again\b| speaking\b|[.!]|\s{{0,3}}(?:$|\n))"
)
_AGAIN: Final = re.compile(
    rf"(?:\A|\n|\b(?i:hi|hey|hello)[,!.]? )(?i:it's|it’s|its|it is)[ ]({_LOW_TWO})(?= (?:here|again|speaking)\b)"
)
_CLOSED: Final = re.compile(
    r"\b(?i:thanks|thanks in advance|thank you|thank you in advance|many thanks|thx|cheers|regards|best wishes|best|yours|"
    r"ta|danke|danke im voraus|vielen dank|merci|merci d'avance|gracias|grazie|bedankt|dank je|tack|dziękuję)"
    rf"[ ]?(?:[,.!]|\n|,\n)[ ]?\n?({_LOW_TWO})\s{{0,4}}\Z"
)
_GREETED: Final = re.compile(  # closings that one word follows: "lg steffi", "Mvh Linnea"
    r"(?:\A|[.!?,;)]\s{1,3}|\n[ ]{0,3})(?i:(?:lg|vg|vlg|mfg|bg|sg|mvh|mvg|cdt|cdlt|vh|(?:(?:viele|liebe|beste|sch[öo]ne|herzliche|freundliche) )?"
    r"gr(?:ü|ue)(?:ß|ss)e?|gru(?:ß|ss)|bien à vous|bien cordialement|cordialement|amicalement|bises|saludos|un saludo|"
    r"saludos cordiales|un abrazo|groetjes|groeten|groet|gr|vriendelijke groeten?|pozdrawiam|pozdr|z pozdrowieniami|"
    r"hälsningar|vänliga hälsningar|hilsen|hilsner|med venlig hilsen|saluti|cordiali saluti|distinti saluti|"
    r"cumprimentos|abraço|terveisin|s pozdravem|üdvözlettel|xx)[,.!]?[ ]?(?:[ ]|\n)[ ]{0,2})"
    rf"({_ONE_OR_TWO})(?=\s{{0,4}}(?:$|\n))"
)
_LAST_LINE: Final = re.compile(
    rf"(?:[.!?)][ ]{{0,2}}|\n)\n[ ]{{0,2}}(?:[-~]{{1,2}}[ ]?)?({_CAPITALS})\s{{0,4}}\Z"
    rf"|\n[ ]{{0,2}}[-~]{{1,2}}[ ]?({_ANY})\s{{0,4}}\Z"
)
_FIRST_LINE: Final = re.compile(
    rf"\A\s{{0,3}}({_CAPITALS}),?[ ]?\n(?=[ ]{{0,3}}(?:[\w.+-]{{1,64}}@|\+?\(?\d[\d ()/-]{{6,20}}|(?i:tel|phone|mob)))"
)
_ABOVE: Final = re.compile(
    rf"(?:\A|\n|[:;][ ]?\n?|[ ](?:to|for|an|für|à|pour|a|para|per|naar|voor|do|dla|till|says|reads|with|von|chez)[ ])[ ]{{0,3}}"
    rf"({_CAPITALS}|(?:(?<=\n)|(?<![\s\S])){_LOW_TWO}),?[ ]?(?:\r?\n|(?<=,)[ ])[ ]{{0,3}}\Z"
)
_LOOK_BACK: Final = 100  # characters above an address: a line


def find_names_by_place(text: str, addresses: Iterable[int]) -> Iterator[Entity]:
    """``addresses`` are where addresses begin: of "Jo Lind⏎4 Mill Lane" the first line is one."""
    for pattern in (_TOLD, _SAID, _AGAIN, _CLOSED, _GREETED, _LAST_LINE, _FIRST_LINE):
        for match in pattern.finditer(text):
            yield from _name(match)
    for start in addresses:
        above = _ABOVE.search(text, max(0, start - _LOOK_BACK), start)
        if above:
            yield from _name(above)


def _name(match: re.Match[str]) -> Iterator[Entity]:
    group = match.lastindex or 1
    name = match[group]
    if not may_be_a_name(name):
        first, _, after = name.partition(" ")  # of "my name is jonas and" the name is "jonas"
        if match.re is not _TOLD or not re.fullmatch(_ON, after) or not may_be_a_name(first):
            return
        name = first
    start = match.start(group)
    yield Entity("person_name", start, start + len(name), name, score=0.8)
