"""Names of people where a text says that one follows: "my name is", a title, a signature.

The router's model finds the others. Every quantifier is bounded, and no name runs over a line.
"""

# ruff: noqa: E501 - a pattern is read and changed as one line
from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from chatbot.safety.pii_words import CAPITAL, may_be_a_name
from chatbot.types import Entity

_FIRST: Final = rf"(?:[A-Z]\.[ ]?){{0,2}}{CAPITAL}[\w'’-]{{1,24}}"
_OF: Final = r"(?:[ ](?:van|von|de|der|den|del|della|di|da|dos|la|le|ter|bin|al)\b){0,2}"
_MORE: Final = rf"(?:{_OF}[ ](?:(?:St|[A-Z])\.[ ])?{CAPITAL}[\w'’-]{{0,24}})"
_NAME: Final = rf"(?:(?:van|von|de|der|den|O'|Mc)[ ]?)?{_FIRST}{_MORE}{{0,2}}"
_FULL: Final = rf"{_FIRST}{_MORE}{{1,2}}"
_QUOTED: Final = rf"[\"“‘']?((?:{_FULL}|[A-Z]\.[ ]?[A-Z][\w'’-]{{1,24}}))"
_TITLE: Final = (
    r"(?:(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Herrn?|Frau|Sir|Señor(?:a|ita)?|Mme|Mlle|Sra?|Mevr|Dhr|Sig|Fru|Pan[ia]|"
    r"[Mm]evrouw|[Mm]eneer|[Dd]e heer|[Mm]adame|[Mm]onsieur|señor(?:a|ita)?|[Ss]ignor[ae]?)\b\.?[ ]){1,2}"
)
_NEIGHBOUR: Final = (
    r"(?:[Nn]eighbou?rs?|Nachbarn?|Nachbarin|voisine?|vecin[oa]|buurman|buurvrouw|vicin[oa] di casa|"
    r"sąsiad\w{0,3}|grann?en?)"
)
_TEAM: Final = r"(?:team|chat|support|desk|service|department|store|shop|warehouse|hotline|office|line|side|colleagues)"
_MADE_OUT: Final = r"(?:change|changed|rename|renamed|switch|update|correct|amend|transfer|move)"
_KIN: Final = (
    r"(?:husband|wife|partner|fianc[ée]e?|son|daughter|mother|mum|mom|father|dad|brother|sister|"
    r"friend|neighbou?r|colleague|boss|flatmate|cousin|aunt|uncle|nephew|niece|gran\w{0,8}|"
    r"boyfriend|girlfriend|assistant|secretary|manager)"
)
_BY_A_TITLE: Final = re.compile(rf"\b{_TITLE}({_FIRST}{_MORE}{{0,2}})")
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
    re.compile(rf"(?:\A|\n|[.,!] )({_FULL}) here(?=[.,!:;]|[ ]-|\s{{0,3}}(?:$|\n))"),
    re.compile(
        rf"\b(?i:{_MADE_OUT})\b[^.\n]{{0,40}}\b(?i:name)\b[^.\n]{{0,20}} from {_QUOTED}[\"”’']? to {_QUOTED}"
    ),
    re.compile(
        rf"\b(?i:{_MADE_OUT})\b[^.\n]{{0,40}}\b(?i:(?:sur|last |family |first |my |account )name) from ({_NAME}) to ({_NAME})"
    ),
    re.compile(
        rf"\b(?i:call(?:s|ed)?|address(?:es|ed)|greet(?:s|ed)) me (?:as )?[\"“]?({_NAME})[\"”]?[,.;]? (?i:but |and )?(?i:it's|it’s|it is|i'm|i am|my name is) ({_NAME})"
    ),
    re.compile(rf"\b(?i:it's|it’s|it is) ({_FULL})(?= now\b|,? not [A-Z]|,? please correct\b)"),
    re.compile(
        rf"\b(?i:tell|ask|thank|with|to|by|from|and|agent|colleague|says|said|is) ({_NAME})(?= (?:from|in|at|on|of) (?:your|the) (?:[a-z-]{{2,14}} ){{0,2}}{_TEAM}\b)"
    ),
    re.compile(rf"({_FULL})(?= c/o )"),
    re.compile(
        r"\b(?:Tochter|Sohn|Mutter|Vater|Bruder|Schwester|Ehemann|Kolleg(?:e|in)|femme|mari|fille|fils|mère|père|sœur|frère|"
        r"mujer|marido|hij[oa]|madre|padre|hermano|hermana|moglie|marito|figli[oa]|fratello|sorella|dochter|zoon|moeder|vader)"
        rf",? (?:von |de |di |van )?({_FULL})"
    ),
    re.compile(
        rf"\b(?i:(?:ordered|placed|accepted|received|booked) by|(?:leave|left|drop|dropped)\b[^.\n]{{0,30}} with) ({_FULL})"
    ),
    re.compile(rf"\b(?i:(?:sur|last |family |maiden |married )name is)(?: now)? ({_NAME})"),
    re.compile(rf"(?:\A|\n|[.!?] )[Ss]igned,? ({_FULL})(?=\s{{0,4}}(?:$|\n))"),
    re.compile(
        rf"\b[Aa]sk(?:ed)? for ({_NAME})(?= (?:at|in|on) (?:the )?(?:reception|front|desk|gate|door|office|bar|shop)\b)"
    ),
    re.compile(
        r"\b(?i:name on (?:the|my) (?:account|card|order|parcel|booking|label|box|bell|door)) (?:has to|should|must|needs to|will|is going to) "
        rf"(?:read|be|say|show) {_QUOTED}"
    ),
    re.compile(
        rf"\b{_NEIGHBOUR}[, ] ?"
        rf"(?:Familie |{_TITLE})?({_NAME})"
    ),
    re.compile(
        r"(?:\A|\n)[ ]{0,4}(?i:hello|hi|hey|good (?:morning|afternoon|evening)|hallo|guten (?:tag|morgen|abend)|bonjour|bonsoir|hola|"
        r"buenos días|buenas tardes|ciao|buongiorno|goedendag|goedemorgen|dag|hej|cześć|dzień dobry|olá|bom dia)"
        rf",[ ]({_FULL})(?=,[ ]|[.][ ])"
    ),
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
    _BY_A_TITLE,
    re.compile(
        rf"\b(?i:(?:my|his|her|our|their) {_KIN}(?:'s|’s)?(?: name| account| order)?)(?: is|,|:)?[ ]({_FULL})"
    ),
    re.compile(
        r"\b(?i:card ?holder|account ?holder|recipient|addressee|consignee|name on (?:the|my) (?:card|account|order|booking|parcel|label)|"
        r"signed (?:for )?by(?: an?)?|collected by(?: an?)?|left with|handed to|for the attention of|attn\.?|c/o)"
        rf"(?:[ ]?:| is|,)?[ ]{_QUOTED}"
    ),
    re.compile(
        r"(?:\A|\n|[,;.!][ ])[ ]{0,4}(?i:hello|hi|hey|dear|good (?:morning|afternoon|evening)|hallo|liebe[r]?|sehr geehrte[r]?|bonjour|hola|beste)"
        rf"[ ](?:{_TITLE})?({_FIRST}{_MORE}{{0,1}})(?=[ ]{{0,1}}[,!])"
    ),
    re.compile(rf"(?:\A|\n)[ ]{{0,4}}({_FULL}),[ ](?=[\w.+-]{{1,64}}@|\+\d|0\d)"),
    re.compile(  # "ask for Fionn or Wanjiru", "vraag naar Machteld"
        r"\b(?:[Aa]sk(?:ing)? for|[Vv]raag naar|[Cc]hied(?:ete|a|i) di|[Pp]regunt(?:e|en|a|ad) por|[Dd]emande[zr]|[Ff]ragen [Ss]ie nach|"
        rf"[Pp]yta[ćj]\w{{0,3}} o|[Pp]ergunt(?:e|em|ar) (?:por|pel[ao])) (?:{_TITLE})?({_FIRST}{_MORE}{{0,2}})(?: (?:or|and|of|o|oder|und|ou|et|en|lub|e|y) ({_FIRST}))?(?=[.,;!?)]|\s{{0,4}}(?:$|\n))"
    ),
    re.compile(  # "ring Thandeka on 082 555 0173"
        rf"\b(?i:ring|call|phone|text|reach|whatsapp) (?:{_TITLE})?({_FIRST}{_MORE}{{0,2}}) (?:on|at|under) (?=\+?\(?\d)"
    ),
    re.compile(  # "hij heet Jurre", "Inhaberin Leopoldine Hrdlicka", "t.n.v. J. van den Broek"
        r"\b(?:[Hh]ij|[Zz]ij|[Zz]e|[Ee]r|[Ss]ie) (?:heet|hei(?:ß|ss)t) "
        rf"({_FIRST}{_MORE}{{0,2}})(?=[.,;!?)]|\s{{0,4}}(?:$|\n))"
    ),
    re.compile(
        r"\b(?:[Kk]onto)?[Ii]nhaber(?:in)?(?: ist|:|,)? "
        rf"({_FULL}|(?:[A-Z]\.[ ]?){{1,3}}{CAPITAL}[\w'’-]{{1,24}})"
    ),
    re.compile(
        r"\b(?:[Tt]\.?n\.?v\.?|[Oo]p naam van|[Ii]ntestat[oa] a|[Aa] nombre de|[Aa]u nom de|[Aa]uf den Namen|[Ee]m nome de|[Nn]a nazwisko|[Pp]å namnet) "
        rf"(?:{_TITLE})?({_NAME}|(?:[A-Z]\.[ ]?){{1,3}}(?:(?:van|de|der|den|ten|ter)[ ]){{0,2}}{CAPITAL}[\w'’-]{{1,24}})"
    ),
    re.compile(  # "my wife Anna ordered": of one word, between the kin and a small letter or a comma
        rf"\b(?i:my {_KIN}),? ({_FIRST})(?=,|\.| [a-z])"
    ),
    re.compile(
        r"\b(?:[Mm]ijn (?:man|vrouw|zoon|dochter|moeder|vader|broer|zus)|(?:a )?[Mm]inha (?:mãe|mulher|filha|irmã|avó)|(?:o )?[Mm]eu (?:pai|marido|filho|irmão|avô)|"
        r"[Mm]on (?:mari|fils|père|frère)|[Mm]a (?:femme|fille|mère|sœur)|[Mm]ia (?:moglie|figlia|madre|sorella)|[Mm]io (?:marito|figlio|padre|fratello)|"
        r"[Mm]i (?:mujer|marido|hij[oa]|madre|padre|herman[oa]|vecin[oa])|[Mm]ój (?:mąż|syn|brat|ojciec)|[Mm]oja (?:żona|córka|siostra|matka)),? "
        rf"({_FIRST})(?=[,.;!?)]|[ ][a-zà-ÿ]|\s{{0,4}}(?:$|\n))"
    ),
    re.compile(rf"(?:[.!?)])[ ]{{1,3}}((?:[A-Z]\.[ ]?){{1,3}}{CAPITAL}[\w'’-]{{2,24}})\s{{0,4}}\Z"),
)
_NOT_NAMES: Final = re.compile(  # words and brands that stand where a name would: "Dr. Martens"
    r"(?:Larkmoor|Dr|Prof|Frau|Herrn?|Mrs?|Ms|Not|Wrong|The|On|In|Martens|Pepper|Kipling|Porter|Muscle|Oetker|Scholl|Sir|Madam|"
    r"Team|Support|Service|Customer|Customers|All|There|Everyone|Everybody|Folks|Guys|Again|Bot|Shop|"
    r"Store|People|Ladies|Gentlemen|Friends?|Assistant|Damen|Kunde|Sent|Very|So|Really|A|An|Still|"
    r"Just|Your?|My|Order|Please|Customer|Mate|Bye|Everything|Nothing|"
    r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day)(?!\w)"
)
_LEADING_TITLE: Final = re.compile(rf"(?:{_TITLE}|{_NEIGHBOUR}[ ]|Familie[ ])")


def find_names(text: str) -> Iterator[Entity]:
    """Without the title: of "Mrs Okonkwo" the name is "Okonkwo"."""
    for pattern in _PERSON:
        for match in pattern.finditer(text):
            for group in range(1, pattern.groups + 1):
                if match[group] is None:
                    continue
                titled = _LEADING_TITLE.match(match[group])
                start = match.start(group) + (titled.end() if titled else 0)
                name = re.sub(r"['’]s\Z", "", text[start : match.end(group)])
                if not _NOT_NAMES.match(name) and (pattern is _BY_A_TITLE or may_be_a_name(name)):
                    yield Entity("person_name", start, start + len(name), name, score=0.9)
