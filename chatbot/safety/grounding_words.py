"""Words as the grounding check compares them: stems, a few synonyms, names of countries."""

from __future__ import annotations

import re
from functools import lru_cache
from threading import Lock

import Stemmer

_STEMMER = Stemmer.Stemmer("english")
_STEMMER_LOCK = Lock()  # a Stemmer must not be used by two threads at once
WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")

_PHRASES = (
    (r"united kingdom|great britain|u\.k\.", "UK"),
    (r"united states of america|united states|u\.s\.a\.|u\.s\.|usa", "USA"),
    (r"european union", "EU"),
    (r"northern ireland", "NorthernIreland"),  # another country than Ireland
    (r"north korea", "NorthKorea"),
    (r"south korea", "SouthKorea"),
    (r"south africa", "SouthAfrica"),
    (r"e-mail", "email"),
    (r"(?:at )?no (?:extra |additional )?(?:charge|cost)|free of charge|without (?:charge|cost)",
     "free"),
    (r"money back", "refund"),
    (r"log[ -]?in(?= page|s\b)", "signin"),
    (r"wi-fi", "wifi"),
    (r"get in touch with", "contact"),
    (r"send(?:ing)? (?:it |them |this |that )?back", "return"),
    (r"sent back", "returned"),
    (r"opening times", "opening hours"),
)  # fmt: skip
_PHRASE = re.compile("|".join(rf"(\b(?:{p})(?!\w))" for p, _ in _PHRASES), re.IGNORECASE)
_SIGNS = str.maketrans({"’": "'", "‘": "'", "–": "-", "—": "-", "−": "-", "\u00a0": " "})

# One line per meaning; the first word stands for all. Only words that are interchangeable in
# a help article: 'order' is no synonym of 'buy', since an order is a thing too.
_SYNONYMS = """
cost price charge fee
deliver delivery ship shipping shipment
buy purchase
help assist assistance support
need require must
child kid children kids
allow permit accept welcome permitted
offer provide available supply availability
phone telephone call ring
start begin
shop store
refund reimburse reimbursement
contact reach
picture photo photograph image
choose select pick
change alter amend modify
receive get
parcel package
item product article
clothing clothes garment
bicycle bike
car auto vehicle
guest visitor
site premise premises
delete erase remove
finish end complete
damaged damage broken faulty defective defect
wash launder laundry
quick fast quickly
website site
client customer
booking reservation reserve book
staff team
cancel cancellation
pay payment
confirm confirmation
"""
_STOP_WORDS = """a an the and or but so then than that this these those there here it its they
    them their
    he she his her you your yours we us our ours i me my who whom which what when where while how
    why if as at by for from in into of off on onto out over to up with about after before until
    till since during per via is are was were be been being am do does did doing have has had
    having can could may might will would shall should also too very just still even yes please
    not no never nor cannot without none neither n't don't doesn't didn't isn't aren't wasn't
    weren't can't couldn't won't wouldn't shouldn't mustn't haven't hasn't hadn't let's it's
    that's there's you're we're they're you'll we'll they'll it'll you've we've i'm i'll
    any some all each every both either such own same other another more most less least
    only within between through because however therefore either though although else ever
    sorry thanks thank hi hello sure certainly course unfortunately possible able happy glad
    customer customers
    make makes made way ways using use used take takes happens happen
    one two three four five six seven eight nine ten eleven twelve
    pounds pound euros euro dollars dollar percent"""
_STOP = frozenset(_STOP_WORDS.split())

_COUNTRIES = (
    "austria belgium bulgaria croatia cyprus czechia denmark estonia finland france germany "
    "greece hungary ireland italy latvia lithuania luxembourg malta netherlands poland portugal "
    "romania slovakia slovenia spain sweden norway iceland switzerland liechtenstein england "
    "scotland wales britain europe uk usa eu australia canada china india japan mexico brazil "
    "turkey ukraine russia israel egypt africa asia america gibraltar guernsey jersey "
    "argentina chile singapore korea thailand vietnam indonesia malaysia philippines "
    "northernireland northkorea southkorea southafrica"
)
COUNTRIES = frozenset(_COUNTRIES.split())
_UNION = (
    "austria belgium bulgaria croatia cyprus czechia denmark estonia finland france germany greece "
    "hungary ireland italy latvia lithuania luxembourg malta netherlands poland portugal romania "
    "slovakia slovenia spain sweden"
)
_KINGDOM = "england scotland wales northernireland"
_PARTS = (
    ("uk britain", f"uk britain {_KINGDOM}"),
    ("eu", f"eu {_UNION}"),
    (
        "europe",
        f"europe eu uk britain norway switzerland liechtenstein iceland {_KINGDOM} {_UNION}",
    ),
)
_GROUPS = tuple((frozenset(names.split()), frozenset(own.split())) for names, own in _PARTS)
ANTONYMS = tuple(
    (frozenset(a.split()), frozenset(b.split()))
    for a, b in (
        ("free", "cost charge pay paid fee surcharge chargeable"),
        ("before earlier", "after later afterwards"),
        ("include included including includes", "exclude excluded excluding except excludes"),
        ("wet", "dry"),
        ("keep keeps", "lose loses"),
        ("faster", "slower"),
        ("minimum", "maximum"),
        ("open opens", "closed closes close"),
        (
            "allowed allow allows accept accepts accepted permitted",
            "forbidden prohibited refuse refuses refused banned",
        ),
        ("available", "unavailable"),
        ("possible", "impossible"),
        ("optional", "required mandatory compulsory must obligatory"),
        ("online", "offline"),
        ("new unused unworn", "used worn"),
        ("original", "copy"),
        ("inside indoors", "outside outdoors outdoor"),
        ("increase higher rise", "decrease lower fall"),
        ("first", "last"),
        ("valid", "invalid expired"),
        ("same", "different"),
        ("automatic automatically", "manually manual"),
        ("refundable", "non-refundable nonrefundable"),
        ("public", "private"),
    )
)

# A claim may weaken what a passage says ('all' to 'some'), never strengthen it.
STRONGER = tuple(
    (frozenset(a.split()), frozenset(b.split()))
    for a, b in (
        ("must", "can may could might should"),
        ("all every each", "some many most several few"),
        ("always", "usually normally often sometimes mostly may can generally"),
        ("never", "rarely seldom sometimes normally usually"),
        ("will", "may might could"),
        ("any", "one"),
        ("no", "some each every all"),
    )
)
PERIODS = frozenset({"hour", "day", "night", "week", "month", "year"})


def tidy(text: str) -> str:
    """Typographic signs as ASCII, a few phrases as the word they stand for."""
    plain = text.translate(_SIGNS)
    return _PHRASE.sub(lambda m: _PHRASES[(m.lastindex or 1) - 1][1], plain)


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """The stem that stands for a word (lower case) and its synonyms."""
    plain = word.removesuffix("'s").removesuffix("'")
    raw = _raw_stem(plain)
    return _SYNONYM_OF.get(plain) or _SYNONYM_OF.get(raw) or raw


def _raw_stem(word: str) -> str:
    with _STEMMER_LOCK:
        return str(_STEMMER.stemWord(word))


_SYNONYM_OF: dict[str, str] = {}
for _line in _SYNONYMS.split("\n"):
    for _word in _line.split():
        _SYNONYM_OF.setdefault(_word, _line.split()[0])
        _SYNONYM_OF.setdefault(_raw_stem(_word), _line.split()[0])


_NUMBERED_NAME = re.compile(r"\b([^\W\d_]{2,})[ -](\d{1,3}|[A-Z]{1,3})\b(?![.,]\d|%)")


def numbered_names(text: str) -> frozenset[tuple[str, str]]:
    """``Tarn 3``, ``size XL``: a word with the number or capitals that tell it from its like."""
    return frozenset((name.casefold(), mark) for name, mark in _NUMBERED_NAME.findall(text))


def another_of_its_name(text: str, names: frozenset[tuple[str, str]]) -> bool:
    """Whether ``text`` is about the Tarn 2 where ``names`` has the Tarn 3."""
    own = numbered_names(text)
    return not names & own and bool({name for name, _ in names} & {name for name, _ in own})


def places_of(text: str) -> frozenset[str]:
    """The countries that a text names; 'Northern Ireland' is one of its own."""
    return COUNTRIES & frozenset(words_of(tidy(text)))


def of_another_place(text: str, asked: frozenset[str]) -> bool:
    """Whether ``text`` names countries, and none that ``asked`` names, lies in or holds: the UK
    speaks for Scotland and the EU for Spain, but not Northern Ireland for Ireland."""
    own = places_of(text)
    if not own or not asked:
        return False
    near = set(asked)
    for names, members in _GROUPS:
        if asked & names:
            near |= members
        if asked & members:
            near |= names
    return not own & near


def words_of(text: str) -> list[str]:
    """Lower-case words of a tidied text, numbers left out."""
    return WORD.findall(text.lower())


def content_stems(text: str) -> list[str]:
    """Stems of the words that carry meaning, in order."""
    return [stem(word) for word in words_of(text) if word not in _STOP and len(word) > 1]
