"""Names of people where a text says that one follows: "my name is", a title, a signature.

The router's model finds the others. Every quantifier is bounded, and no name runs over a line.
"""

# ruff: noqa: E501 - a pattern is read and changed as one line
from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from chatbot.types import Entity

_FIRST: Final = r"(?:[A-Z]\.[ ]?)?[^\W\d_a-z][\w'’-]{1,24}"
_OF: Final = r"(?:[ ](?:van|von|de|der|den|del|della|di|da|dos|la|le|ter|bin|al)\b){0,2}"
_MORE: Final = rf"(?:{_OF}[ ][^\W\d_a-z][\w'’.-]{{0,24}})"
_NAME: Final = rf"(?:(?:van|von|de|der|den|O'|Mc)[ ]?)?{_FIRST}{_MORE}{{0,2}}"
_FULL: Final = rf"{_FIRST}{_MORE}{{1,2}}"
_KIN: Final = (
    r"(?:husband|wife|partner|fianc[ée]e?|son|daughter|mother|mum|mom|father|dad|brother|sister|"
    r"friend|neighbou?r|colleague|boss|flatmate|cousin|aunt|uncle|nephew|niece|gran\w{0,8}|"
    r"boyfriend|girlfriend|assistant|secretary|manager)"
)
_PERSON: Final = (
    re.compile(
        r"\b(?i:my (?:full )?name is|my name's|(?<!'s )(?<!’s )name is|i(?:'| a)?m called|ich hei(?:ß|ss)e|"
        r"mein name ist|mijn naam is|ik heet|je m'appelle|me llamo|mi nombre es|mi chiamo|"
        r"o meu nome é|meu nome é|mitt namn är|jag heter|mit navn er|nazywam się|"
        r"(?:full |first |last |sur)?name[ ]?:|on behalf of|(?:in|under|on) the name(?: of)?)"
        rf"[ ]({_NAME})"
    ),
    re.compile(
        rf"\b(?i:this is|it's|here is)[ ]({_FULL})(?=[ ](?:speaking|here|again)\b|,? calling\b)"
    ),
    re.compile(
        rf"\b(?i:hello|hi|hey|good (?:morning|afternoon|evening))[,!.]?[ ](?i:this is)[ ]({_FULL})(?=[.,!])"
    ),
    re.compile(
        rf"\b(?i:someone|somebody|an? (?:man|woman|guy|lady|person|driver|colleague|agent)) (?i:called|named)[ ]({_FULL})"
    ),
    re.compile(rf"\binstead of [\"“]({_FULL})[\"”]"),
    re.compile(
        rf"[\"“]({_FULL})[\"”](?= on (?:the|my) (?:label|parcel|card|box|invoice|ticket)\b)"
    ),
    re.compile(
        rf"\b(?i:deliver(?:ed)?|sent?d?|ship(?:ped)?|post(?:ed)?)\b[^.,\n]{{0,30}} to ({_FULL}),(?=[ ]\d)"
    ),
    re.compile(
        r"\b(?i:name on (?:the|my) (?:account|card|order|booking)):[ ]([a-z][a-z'’-]{1,20}(?:[ ][a-z][a-z'’-]{1,20}){1,2})\s{0,4}(?=$|\n)"
    ),
    re.compile(rf"(?:\A|\n|[.,!] )({_FULL}) here(?=[.,!:]|\s{{0,3}}(?:$|\n))"),
    re.compile(rf"\b(?i:cheers|thanks|thank you|best|love|yours),[ ]({_NAME})\s{{0,4}}\Z"),
    re.compile(
        rf"\b(?:I'm|I am|I’m|Ich bin|ich bin|Je suis|je suis|Soy|soy|Sono|sono|Ik ben|ik ben)[ ]({_FULL})"
    ),
    re.compile(
        r"\b(?i:(?:kind|best|warm|many|with)?[ ]?(?:regards|wishes)|sincerely|faithfully|mit freundlichen gr(?:ü|ue)(?:ß|ss)en|"
        r"(?:viele|liebe|beste) gr(?:ü|ue)(?:ß|ss)e|met vriendelijke groet|cordialement|saludos|cordiali saluti|atentamente|"
        r"z poważaniem|pozdrawiam|serdecznie|med vänlig hälsning|com os melhores cumprimentos|atenciosamente)"
        rf"[,.]?\s{{1,3}}(?:(?:Mr|Mrs|Ms|Dr|Prof)\.?[ ])?({_NAME})(?=\s{{0,4}}(?:$|\n))"
    ),
    re.compile(
        r"\b(?i:thanks|thank you|many thanks|cheers|best|yours|danke|merci|gracias|grazie|bedankt|groetjes|lg|mfg)"
        rf"[,.!]{{0,2}}[ ]{{0,2}}\n\s{{0,4}}({_NAME})(?=\s{{0,4}}(?:$|\n))"
    ),
    re.compile(
        rf"\b(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Herr|Frau|Sir|Señora?|Mme|Mevrouw|Dhr|Sr|Sra)\b\.?[ ]({_FIRST}{_MORE}{{0,2}})"
    ),
    re.compile(
        rf"\b(?i:(?:my|his|her|our|their) {_KIN}(?:'s|’s)?(?: name| account| order)?)(?: is|,|:)?[ ]({_FULL})"
    ),
    re.compile(
        r"\b(?i:card ?holder|account ?holder|recipient|addressee|consignee|name on (?:the|my) (?:card|account|order|booking|parcel|label)|"
        r"signed (?:for )?by(?: an?)?|collected by(?: an?)?|left with|handed to|for the attention of|attn\.?|c/o)"
        rf"(?:[ ]?:| is|,)?[ ]({_FULL}|[A-Z]\.[ ]?[A-Z][\w'’-]{{1,24}})"
    ),
    re.compile(
        r"(?:\A|\n)[ ]{0,4}(?i:hello|hi|hey|dear|good (?:morning|afternoon|evening)|hallo|liebe[r]?|sehr geehrte[r]?|bonjour|hola|beste)"
        rf"[ ]({_FIRST}{_MORE}{{0,1}})(?=[ ]{{0,1}}[,!])"
    ),
    re.compile(rf"(?:\A|\n)[ ]{{0,4}}({_FULL}),[ ](?=[\w.+-]{{1,64}}@|\+\d|0\d)"),
)
_NOT_NAMES: Final = re.compile(  # words and brands that stand where a name would: "Dr. Martens"
    r"(?:Larkmoor|Not|Wrong|The|On|In|Martens|Pepper|Kipling|Porter|Muscle|Oetker|Scholl|Sir|Madam|"
    r"Team|Support|Service|Customer|Customers|All|There|Everyone|Everybody|Folks|Guys|Again|Bot|Shop|"
    r"Store|People|Ladies|Gentlemen|Friends?|Assistant|Damen|Kunde|Sent|Very|So|Really|A|An|Still|"
    r"Just|Your?|My|Order|Please|Customer|Mate|Bye|Everything|Nothing|"
    r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day)(?!\w)"
)


def find_names(text: str) -> Iterator[Entity]:
    """Without the title: of "Mrs Okonkwo" the name is "Okonkwo"."""
    for pattern in _PERSON:
        for match in pattern.finditer(text):
            name = match[1].rstrip(".") if match[1][-2:-1].islower() else match[1]
            if not _NOT_NAMES.match(name):
                start = match.start(1)
                yield Entity("person_name", start, start + len(name), name, score=0.9)
