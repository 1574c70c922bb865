"""National identifiers, IP addresses and wallets, by presidio's pattern recognisers.

They are used one by one, without presidio's engine: that would load a language model from the
network. Importing presidio takes 1.2 s and 80 MB, and four times as much where it finds torch
and transformers, which pattern recognisers do not use: they are hidden from it.
``load_recognisers`` is called once at the start rather than in the first turn.
Source: https://microsoft.github.io/presidio/analyzer/
"""

# ruff: noqa: E501 - a pattern is read and changed as one line
from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from chatbot.types import Entity
from knowledge_base.quiet import absent

_ID_WORDS: Final = (
    r"\b(?:{words}|passport|national id|id ?card|identity|tax id|social security|"
    r"driving licence|driver'?s licen[cs]e|personal number)\b"
)
_AROUND: Final = 96  # characters before and after in which a word must name the identifier


@dataclass(frozen=True, slots=True)
class _Use:
    """How far a recogniser is believed. ``needed``: what the text must hold for it to run."""

    recogniser: Any
    label: str
    needed: re.Pattern[str]
    named: re.Pattern[str] | None = None
    """Words that must stand near a match; None where shape and checksum suffice."""
    least: float = 0.0


@cache
def load_recognisers() -> tuple[_Use, ...]:
    """Imports presidio and builds its recognisers. Needs no network."""
    with absent("torch", "transformers"):
        from presidio_analyzer import predefined_recognizers as known

    def use(recogniser: Any, needed: str, words: str | None, label: str = "national_id") -> _Use:
        named = None if words is None else re.compile(_ID_WORDS.format(words=words), re.I)
        return _Use(recogniser, label, re.compile(needed), named)

    nine = r"\d(?:[ .-]?\d){8}"
    return (
        use(known.UkNinoRecognizer(), r"[A-Za-z]{2} ?\d\d ?\d\d ?\d\d ?[A-Da-d]\b", None),
        use(known.NhsRecognizer(), nine, "nhs"),
        use(known.UkDrivingLicenceRecognizer(), r"[A-Z9]{5}\d{6}", None),
        use(known.UsSsnRecognizer(), nine, "ssn|social|social security"),
        use(known.UsItinRecognizer(), nine, "itin|taxpayer"),
        use(
            known.DeTaxIdRecognizer(supported_language="en"),
            r"\d{11}",
            r"steuer-?id\w*|steuer\w*nummer|idnr|tax",
        ),
        use(
            known.PlPeselRecognizer(supported_language="en"),
            r"\d{11}",
            "pesel",
        ),
        use(
            known.EsNifRecognizer(supported_language="en"),
            r"\d{7,8}-?[A-Z]\b",
            "nif|dni|n\\.i\\.f",
        ),
        use(known.EsNieRecognizer(supported_language="en"), r"[X-Z]\d{7}-?[A-Z]\b", None),
        use(
            known.ItFiscalCodeRecognizer(supported_language="en"),
            r"[A-Za-z]{6}\d\d[A-Za-z]\d\d[A-Za-z]",
            None,
        ),
        use(known.IpRecognizer(), r"\d\.\d{1,3}\.\d|:[0-9A-Fa-f]{0,4}:", None, "ip"),
        use(
            known.CryptoRecognizer(),
            r"\b(?:bc1|[13])[a-zA-HJ-NP-Z0-9]{25,}",
            None,
            "crypto_wallet",
        ),
    )


def find_by_presidio(text: str) -> Iterator[Entity]:
    """Validated matches; a recogniser runs only where its cheap shape occurs at all."""
    for use in load_recognisers():
        if not use.needed.search(text):
            continue
        for result in use.recogniser.analyze(text, use.recogniser.supported_entities, None):
            shown = text[result.start : result.end]
            if use.named is not None and not use.named.search(
                text[max(0, result.start - _AROUND) : result.end + _AROUND]
            ):
                continue
            if use.label == "ip" and not _address(shown, text, result.start):
                continue
            yield Entity(use.label, result.start, result.end, shown, shown, score=1.0)


_HOME: Final = re.compile(r"(?:10|127|192\.168|169\.254|172\.(?:1[6-9]|2\d|3[01]))\.")
_VERSION: Final = re.compile(
    r"\b(?:version|firmware|release|v|build|software)\b\W{0,3}\w{0,3}\W?$", re.I
)
_ETHEREUM: Final = re.compile(r"(?<!\w)0x[0-9a-fA-F]{40}(?!\w)")
_DUTCH: Final = re.compile(r"(?<![\w.-])\d{9}(?!\w)")
_DUTCH_WORDS: Final = re.compile(r"\b(?:bsn|burgerservicenummer|sofinummer)\b", re.I)
_PPS: Final = re.compile(r"(?<!\w)\d{7} ?[A-W][A-IW]?(?!\w)")
_PPS_WORDS: Final = re.compile(r"\b(?:pps|ppsn|pps number)\b", re.I)
_NINO: Final = re.compile(
    r"\b(?:ni|nino|national insurance)(?: ?(?:number|no|nr)\b\.?)?\W{0,3}(?:is\s)?"
    r"([A-Z]{2} ?\d\d ?\d\d ?\d\d ?[A-D])(?!\w)",
    re.I,
)
_CPF: Final = re.compile(r"(?<![\w.-])\d{3}\.\d{3}\.\d{3}-\d{2}(?![\w-])")
_NAMED_ID: Final = re.compile(  # identifiers of other countries, believed where they are named
    r"\b(?i:cpf|nir|insee|s[ée]curit[ée] sociale|num[ée]ro de s[ée]cu|seguridad social|codice fiscale|"
    r"personnummer|f[øö]dselsnummer|henkil[öo]tunnus|rijksregister(?:nummer)?|num[ée]ro national|registre national|national register|national registration|"
    r"national insurance|personal (?:(?:identity|id|identification) )?(?:number|code)|identity number|identification number|"
    r"cpr|isikukood|asmens kodas|personas kods|rodn[ée] [čc][íi]slo|kennitala|egn|jmbg|emšo|amka|afm|taj sz[áa]m|"
    r"bsn|burgerservicenummer|sofinummer|pesel|nip|ssn|social security|ppsn?|n[úu]mero de contribuinte|nif|cart[ãa]o de cidad[ãa]o|cnp|oib|"
    r"ahv|avs|svnr|sozialversicherungs(?:nummer|nr)|aadhaar|pan number|my sin|sin number|social insurance number|"
    r"tax file number|tfn|curp|nie|nif|dni|steuer-?id|steueridentifikationsnummer|idnr|tax id|national id(?:entity)?(?: card)?)"
    r"(?i:[ -]?(?:number|nummer|no|nr|num|numer)\b\.?)?"
    r"\W{0,3}(?i:(?:is|was|es|est|ist|lautet|är|er|é|è|to|on|je|het is)\s)?"
    r"((?=[A-Z0-9 .-]{0,20}\d{3})[A-Z]{0,6}-?\d[A-Z0-9]{0,18}(?:[ ./-]\d[A-Z0-9]{0,12}){0,6}(?:-[A-Z])?)(?!\w)"
)
_SHAPES: Final = (  # identifiers whose marks are nobody else's
    re.compile(r"(?<![\w.-])\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}(?![\w-])"),  # Belgium
    re.compile(r"(?<![\w.-])756\.\d{4}\.\d{4}\.\d{2}(?![\w-])"),  # Switzerland
    re.compile(r"(?<![\w.-])\d{2}\.\d{3}\.\d{3}-?[A-Z](?![\w-])"),  # Spain
    re.compile(
        r"(?<![\w.-])[12] \d\d (?:0[1-9]|1[0-2]) \d[\dAB] \d{3} \d{3}(?: \d\d)?(?![\w-])"
    ),  # France
    re.compile(r"(?<!\w)[A-Z]{3} [A-Z]{3} \d\d[A-Z]\d\d [A-Z]\d{3}[A-Z](?!\w)", re.I),  # Italy
    re.compile(r"(?<![\w-])[A-CEGHJ-PR-TW-Z]{2}([-.])\d\d\1\d\d\1\d\d\1[A-D](?![\w-])"),  # Britain
    re.compile(r"(?<![\w-])[0-3]\d[01]\d\d\d[-+A]\d{3}[0-9A-FHJ-NPR-Y](?![\w-])"),  # Finland
)
_OF_GOODS: Final = re.compile(
    r"\b(?:batch|lot|serial|part|sku|model|item|article|artikel|ean|ref|charge|order)\b[^\d\n]{0,10}$",
    re.I,
)
_PASSPORT: Final = re.compile(
    r"\b(?:passport|reisepass|paspoort|id ?card|identity card|personalausweis|driving licence|"
    r"driver'?s license)(?: ?(?:number|no|nr|nummer|num)\b\.?)?\s?(?:is|:|=|#)?\s?"
    r"((?=[A-Z0-9-]{0,15}\d)[A-Z0-9]{6,16}|[A-Z0-9]{2,3} \d{3} \d{3})(?!\w)"
    r"|(?<!\w)([A-Z]{0,3}\d{6,9})(?= is my passport)",
    re.I,
)


def find_other_ids(text: str) -> Iterator[Entity]:
    """What presidio has no recogniser for: BSN (11-test), PPS number, CPF, passports, other
    identifiers by name or by their marks, Ethereum addresses."""
    for match in _ETHEREUM.finditer(text):
        yield Entity("crypto_wallet", *match.span(), match[0], match[0])
    if _DUTCH_WORDS.search(text):
        for match in _DUTCH.finditer(text):
            weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
            if sum(w * int(c) for w, c in zip(weights, match[0], strict=True)) % 11 == 0:
                yield Entity("national_id", *match.span(), match[0], match[0])
    if _PPS_WORDS.search(text):
        for match in _PPS.finditer(text):
            yield Entity("national_id", *match.span(), match[0], match[0])
    for pattern in (_NINO, _NAMED_ID, _CPF):
        for match in pattern.finditer(text):
            group = 1 if pattern.groups else 0
            value = match[group].upper()
            yield Entity("national_id", *match.span(group), match[group], value)
    for pattern in _SHAPES:
        for match in pattern.finditer(text):
            if _OF_GOODS.search(text[max(0, match.start() - 24) : match.start()]):
                continue
            yield Entity("national_id", *match.span(), match[0], match[0].upper())
    for match in _PASSPORT.finditer(text):
        group = 1 if match[1] else 2
        yield Entity("national_id", *match.span(group), match[group], match[group].upper())


def _address(shown: str, text: str, start: int) -> bool:
    """A version number has the shape of an IPv4 address; '::' alone is punctuation, and an
    address of a home network is everybody's."""
    if len(shown) < 5 or _HOME.match(shown):
        return False
    return not _VERSION.search(text[max(0, start - 16) : start])
