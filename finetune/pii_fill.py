"""Fills the slots of patterns with invented people, addresses and numbers of many countries.

The values come from Faker's tables (https://faker.readthedocs.io, MIT licence); how they are put
together is ours. Seeded: the same pattern and number give the same text.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from chatbot.errors import SetupError
from chatbot.tags import Span

SLOT: Final = re.compile(r"\{([a-z_]+)(\d*)\}")
ENGLISH: Final = ("en_GB", "en_US", "en_IE", "en_CA", "en_AU", "en_NZ", "en_IN")
LATIN: Final = (
    *("de_DE", "de_AT", "de_CH", "fr_FR", "fr_CH", "es_ES", "es_MX", "it_IT", "nl_NL", "nl_BE"),
    *("pl_PL", "pt_PT", "pt_BR", "sv_SE", "no_NO", "da_DK", "fi_FI", "cs_CZ", "sk_SK", "hu_HU"),
    *("ro_RO", "hr_HR", "sl_SI", "tr_TR", "lt_LT", "lv_LV", "et_EE", "id_ID", "vi_VN"),
)
OTHER: Final = ("el_GR", "uk_UA", "bg_BG")
"""Few: the encoder's vocabulary has their letters and hardly a word."""
ABROAD: Final = (
    *("en_NG", "en_KE", "en_PK", "en_TH", "en_IN", "yo_NG", "ig_NG", "ha_NG", "zu_ZA", "tw_GH"),
    *("sw", "fr_DZ", "is_IS", "ga_IE", "uz_UZ", "az_AZ", "vi_VN", "id_ID", "tr_TR", "ja_JP"),
    "zh_CN",
)
"""Where the names of a fifth of the people come from, wherever they live."""
PERSON: Final = frozenset({"full", "first", "last", "titled"})
ADDRESS: Final = frozenset({"street", "address", "address_lines", "flat"})
LABEL_OF: Final = (
    dict.fromkeys(PERSON, "person_name")
    | dict.fromkeys(ADDRESS, "address")
    | dict.fromkeys(("city", "country", "region"), "place")
    | {"phone": "phone", "postcode": "postcode", "company": "organisation"}
)
PARTS: Final = frozenset({"address", "postcode", "place"})
"""What makes one address where an address is among them."""
JOINED: Final = re.compile(r"[\s,;]{1,4}")

_THINGS: Final = (
    *("armchair", "lamp", "jacket", "shoes", "backpack", "desk", "kettle", "tent", "dress"),
    *("watch", "headphones", "sofa", "boots", "bike", "router", "plan", "rug", "mug", "shelf"),
    "jeans",
)
_KINDS: Final = (
    *("Pro", "Mini", "Classic", "Oxford", "Windsor", "Alpine", "Berlin", "Rose", "Ocean", "Urban"),
    *("Nordic", "Premium", "Stone", "Victoria", "Austin", "Chelsea", "Heritage", "Flex", "Plus"),
)
_TITLES: Final = ("Mr", "Mrs", "Ms", "Miss", "Dr", "Mr.", "Mrs.", "Ms.", "Dr.", "Prof.")
_FOREIGN_TITLES: Final = {
    "de": ("Herr", "Frau", "Hr.", "Fr.", "Dr."),
    "fr": ("M.", "Mme", "Monsieur", "Madame"),
    "es": ("Sr.", "Sra.", "Señora", "Don"),
    "it": ("Sig.", "Sig.ra", "Signora"),
    "nl": ("dhr.", "mevr.", "meneer"),
    "pl": ("pan", "pani", "Pani"),
    "pt": ("Sr.", "Sra.", "Senhor"),
}
_FLATS: Final = (
    *("Flat {n}", "Apt {n}", "Apt. {n}", "apartment {n}", "Unit {n}", "Suite {n}", "Flat {n}{l}"),
    *("2nd floor", "ground floor", "Top Floor", "Floor {n}", "Room {n}", "Block {l}, Flat {n}"),
)
_FOREIGN_FLATS: Final = {
    "de": ("{n}. Stock", "Whg. {n}", "Hinterhaus", "EG links", "Top {n}"),
    "fr": ("Appt {n}", "{n}e étage", "Bât. {l}", "Résidence Les Tilleuls"),
    "es": ("{n}º {l}", "piso {n}", "Esc. {l}, {n}º"),
    "it": ("interno {n}", "scala {l}", "{n}° piano"),
    "nl": ("{n} hoog", "bus {n}"),
    "pl": ("m. {n}", "lok. {n}", "klatka {l}"),
    "pt": ("{n}º Esq.", "{n}º Dto", "bloco {l}"),
    "sv": ("lgh 1{n}01",),
}


class Filler:
    """Draws values. One filler may fill any number of patterns."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed

    def fill(
        self, pattern: str, number: int, language: str | None = None
    ) -> tuple[str, list[Span]]:
        """A text and the spans of its slots, address parts that touch as one. Three of four texts
        in a ``language`` other than English have values of where it is spoken.

        Raises SetupError for a slot that does not exist, and for a language of no country here.
        """
        dice = random.Random(f"{self._seed}:{number}:{pattern}")
        values = _Values(dice, language if dice.random() < 0.75 else None)
        text, position = "", 0
        spans: list[Span] = []
        known: dict[str, str] = {}
        for match in SLOT.finditer(pattern):
            text += pattern[position : match.start()]
            before, value = known.get(match[0]), ""
            title, value = ("", before) if before else values.draw(match[1])
            known[match[0]] = value
            text += title
            label = LABEL_OF.get(match[1])
            if label:
                _add(spans, (len(text), len(text) + len(value), label), text + value)
            text += value
            position = match.end()
        return text + pattern[position:], spans


def _add(spans: list[Span], span: Span, text: str) -> None:
    """A part of an address, or a place that touches one, belongs to it."""
    if spans:
        start, end, label = spans[-1]
        touching = JOINED.fullmatch(text[end : span[0]]) is not None
        if touching and "address" in {label, span[2]} <= PARTS:
            spans[-1] = (start, span[1], "address")
            return
    spans.append(span)


class _Values:
    """Values of one text: mostly of one country, as those of one customer are."""

    def __init__(self, dice: random.Random, language: str | None = None) -> None:
        self.dice = dice
        draw = dice.random()
        group: tuple[str, ...] = ENGLISH if draw < 0.5 else LATIN if draw < 0.95 else OTHER
        if language:
            group = tuple(name for name in (*LATIN, *OTHER) if name.startswith(language))
            if not group:
                raise SetupError(f"no country here speaks {language!r}; known: {LATIN + OTHER}")
        self.locale = dice.choice(group)
        self.language = self.locale[:2]
        self.faker = self.people = _faker(self.locale)
        self.faker.seed_instance(dice.getrandbits(32))
        if dice.random() < 0.2:
            self.people = _faker(dice.choice(ABROAD))
            self.people.seed_instance(dice.getrandbits(32))

    def draw(self, slot: str) -> tuple[str, str]:
        """What stands before the value without being part of it (a title), and the value."""
        made: Callable[[], str] | None = getattr(self, slot, None)
        if made is None or slot.startswith("_"):
            raise SetupError(f"no slot is called {{{slot}}}; known: {', '.join(SLOTS)}")
        if slot == "titled":
            titles = _FOREIGN_TITLES.get(self.language, _TITLES)
            return self.dice.choice(titles) + " ", made()
        return "", made()

    def full(self) -> str:
        first, last = self.first(), self.last()
        draw = self.dice.random()
        if draw < 0.08:
            return f"{first} {self.dice.choice('ABCDEFGHJKLMPRST')}. {last}"
        if draw < 0.13:
            return f"{first} {self.first()} {last}"
        if draw < 0.17:
            return f"{first} {last}-{self.last()}"
        if draw < 0.20:
            return f"{first[0]}. {last}"
        return f"{last}, {first}" if draw < 0.22 else f"{first} {last}"

    def first(self) -> str:
        return self._name("first")

    def last(self) -> str:
        return self._name("last")

    def _name(self, part: str) -> str:
        """In Latin letters where the country has such a form."""
        people = self.people
        made = getattr(people, f"{part}_romanized_name", None) or getattr(people, f"{part}_name")
        return str(made())

    def titled(self) -> str:
        return self.last() if self.dice.random() < 0.7 else self.full()

    def street(self) -> str:
        draw = self.dice.random()
        if draw < 0.75:
            return _line(self.faker.street_address())
        name, number = str(self.faker.street_name()), str(self.dice.randint(1, 260))
        if self.dice.random() < 0.2:
            number += self.dice.choice("abcdABC")
        if self.language in {"en", "fr"}:
            return f"{number} {name}"
        return f"{name} {number}"

    def flat(self) -> str:
        form = self.dice.choice(_FOREIGN_FLATS.get(self.language, _FLATS))
        return form.format(n=self.dice.randint(1, 40), l=self.dice.choice("ABCD"))

    def postcode(self) -> str:
        return str(self.faker.postcode())

    def city(self) -> str:
        return str(self.faker.city())

    def country(self) -> str:
        return str(self.faker.country())

    def region(self) -> str:
        for name in ("county", "state", "region", "administrative_unit"):
            try:
                return str(getattr(self.faker, name)())
            except AttributeError:
                continue
        return self.city()

    def address(self) -> str:
        return ", ".join(self._parts()) if self.dice.random() < 0.8 else " ".join(self._parts())

    def address_lines(self) -> str:
        indent = " " * self.dice.choice((0, 0, 0, 2, 4))
        return f"\n{indent}".join(self._parts())

    def _parts(self) -> list[str]:
        if self.dice.random() < 0.35:
            whole = str(self.faker.address()).strip().split("\n")
            return [part.strip(" ,") for part in whole if part.strip(" ,")]
        parts = [self.street()]
        draw = self.dice.random()
        if draw < 0.15:
            parts.insert(0, self.flat())
        elif draw < 0.3:
            parts.append(self.flat())
        english = self.language == "en"
        town, code = self.city(), self.postcode()
        form = self.dice.random()
        if english:
            end = [f"{town} {code}"] if form < 0.4 else [town, code]
            if form > 0.8:
                end = [town, f"{self.region()} {code}"]
        else:
            end = [f"{code} {town}"] if form < 0.8 else [town] if form < 0.9 else [town, code]
        parts += end
        return [*parts, self.country()] if self.dice.random() < 0.2 else parts

    def company(self) -> str:
        return str(self.faker.company())

    def phone(self) -> str:
        number = str(self.faker.phone_number())
        if self.dice.random() < 0.15:
            number = re.sub(r"\D", "", number) or number
        return number

    def email(self) -> str:
        return str(self.faker.safe_email())

    def order(self) -> str:
        digits = "".join(self.dice.choices("0123456789", k=self.dice.randint(5, 10)))
        form = self.dice.choice(("{d}", "#{d}", "LM-{d}", "{a}{d}", "{a}-{b}-{d}", "{d}-{b}"))
        letters = "ABCDEFGHKLMNPQRSTUVWXZ"
        a = "".join(self.dice.choices(letters, k=2))
        return form.format(d=digits, a=a, b=self.dice.randint(10, 9999))

    def amount(self) -> str:
        value = f"{self.dice.uniform(1, 900):.2f}"
        return self.dice.choice(("£{v}", "€{v}", "{v} €", "${v}", "{v} zł", "CHF {v}")).format(
            v=value if self.dice.random() < 0.6 else value.split(".", maxsplit=1)[0]
        )

    def date(self) -> str:
        form = self.dice.choice(
            ("%d/%m/%Y", "%d.%m.%Y", "%Y-%m-%d", "%d %B", "%B %d", "%d %b %Y", "%A", "%d.%m.")
        )
        return str(self.faker.date_object().strftime(form))

    def product(self) -> str:
        thing = self.dice.choice(_THINGS)
        if self.dice.random() < 0.5:
            name = _faker("en_GB").random.choice(_names())
            return f"{name} {thing}"
        return f"{self.dice.choice(_KINDS)} {thing}"


SLOTS: Final = (
    *("full", "first", "last", "titled", "street", "flat", "postcode", "city", "country"),
    *("region", "address", "address_lines", "company", "phone", "email", "order", "amount"),
    *("date", "product"),
)


def altered(text: str, spans: list[Span], dice: random.Random) -> tuple[str, list[Span]]:
    """Now and then all in lower case, in capitals or without accents, as people type.

    Every change keeps the length, so that spans stay true.
    """
    draw = dice.random()
    if draw < 0.25:
        changed = text.lower()
    elif draw < 0.28:
        changed = text.upper()
    elif draw < 0.36:
        changed = "".join(unicodedata.normalize("NFD", c)[0] for c in text)
    else:
        return text, spans
    return (changed, spans) if len(changed) == len(text) else (text, spans)


def _line(value: object) -> str:
    return ", ".join(part.strip(" ,") for part in str(value).split("\n"))


@cache
def _faker(locale: str) -> Any:
    try:
        from faker import Faker
    except ImportError:
        raise SetupError(
            "the tagger learns from invented people of the package faker; "
            'run: pip install "deskgate[finetune]"'
        ) from None
    return Faker(locale)


@cache
def _names() -> tuple[str, ...]:
    """First names that products are called by."""
    made = _faker("en_GB")
    made.seed_instance(7)
    return tuple(sorted({str(made.first_name()) for _ in range(120)}))
