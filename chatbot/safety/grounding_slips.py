"""Slips of a small answer model that the hard facts of a sentence do not show.

It likes to answer in the question's words: asked for a neck size it calls the chest measure of the
table one. It shortens a sentence by its condition ("…, for credit only"). It makes a price one "a
day", or that of the Tarn 2 one of the Tarn 3. And it opens with a "Yes" or "No" that nobody has
checked: read blind, 4 of 100 delivered sentences had a wrong opening, and 2 of another 100 where
only those stayed whose sentence denied or affirmed the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from chatbot.safety.grounding_claim import Claim, share
from chatbot.safety.grounding_units import read_passage
from chatbot.safety.grounding_words import (
    another_of_its_name,
    content_stems,
    numbered_names,
    stem,
    tidy,
)
from chatbot.types import Passage, Reason, ReasonCode

SAME_UNIT = 0.7  # of the claim's content words: it retells that unit
FEWEST_STEMS = 3  # shorter claims share their words with too many units
CONDITIONS = frozenset(
    ["only", "never", "except", "unless", "without", "excluding", "until", "not"]
)
_MEASURED = frozenset({"amount", "percent", "quantity"})
_RATE = re.compile(
    r"(?:[£€$]\s?\d[\d.,]*|\d[\d.,]*\s?(?:[£€$]|euros?\b|pounds?\b|dollars?\b))\s+"
    r"(?:an?|per|each|every)\s+(?P<each>[a-z]+)",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"[^\s(<\[\"'*]*(?:@|://|www\.)[^\s)>\]\"'*]*")
_OPENING = re.compile(r"^(yes|no),\s+(?=\w+\W+\w)", re.IGNORECASE)
_WORD = re.compile(r"[a-z]+")
_DENYING = frozenset({"no", "none", "cannot"})


def slip(claim: str, question: str, passages: Sequence[Passage]) -> Reason | None:
    """Why a claim must give way to the passages' own words, although they may support it."""
    found = (
        (echoed(claim, question, passages), "It uses words of the question that no passage has."),
        (dropped_conditions(claim, passages), "It leaves out a condition of what it retells."),
        (invented_rates(claim, passages), "It says “a” or “per” of a price, and no passage does."),
        (misnamed(claim, passages), "The passage says this of another one of that name."),
        (broken_addresses(claim, passages), "It has an address that no passage has."),
    )
    for words, detail in found:
        if words:
            return Reason(ReasonCode.BESIDE_THE_POINT, detail, words=", ".join(sorted(words)))
    return None


def echoed(claim: str, question: str, passages: Sequence[Passage]) -> frozenset[str]:
    """Stems of content words that claim and question share and no passage has."""
    shared = set(Claim.of(claim).stems) & set(content_stems(tidy(question)))
    return frozenset(shared.difference(*(read_passage(passage).stems for passage in passages)))


def dropped_conditions(claim: str, passages: Sequence[Passage]) -> frozenset[str]:
    """Words that limit the unit which the claim retells, and that the claim leaves out."""
    stems = Claim.of(claim).stems
    if len(stems) < FEWEST_STEMS:
        return frozenset()
    nearest, best = "", (SAME_UNIT, 0.0)
    for unit in (unit for passage in passages for unit in read_passage(passage).units):
        if (near := (share(stems, unit.stems), share(unit.stems, stems))) > best:
            nearest, best = unit.text, near
    return CONDITIONS & _words(nearest) - _words(claim)


def invented_rates(claim: str, passages: Sequence[Passage]) -> frozenset[str]:
    """What a price is "a …" or "per …" in the claim, where no unit that states a price says so."""
    each = {stem(match["each"].lower()) for match in _RATE.finditer(claim)}
    if not each:
        return frozenset()
    priced = (
        unit.all_stems
        for passage in passages
        for unit in read_passage(passage).units
        if any(fact.kind == "amount" for fact in unit.facts)
    )
    return frozenset(each.difference(*priced))


def misnamed(claim: str, passages: Sequence[Passage]) -> frozenset[str]:
    """Numbers of a claim about the Tarn 3 that the passages state of the Tarn 2 alone."""
    names = numbered_names(claim)
    if not names:
        return frozenset()
    units = [unit for passage in passages for unit in read_passage(passage).units]
    return frozenset(
        fact.text
        for fact in Claim.of(claim).facts
        if fact.kind in _MEASURED
        and (stating := [u for u in units if any(fact.agrees(other) for other in u.facts)])
        and all(another_of_its_name(unit.text, names) for unit in stating)
    )


def broken_addresses(claim: str, passages: Sequence[Passage]) -> frozenset[str]:
    """Addresses and links of the claim, or what is left of them, that no passage has."""
    known = {part for passage in passages for part in _addresses(passage.text)}
    return frozenset(_addresses(claim)) - known


def without_opening(sentence: str) -> str:
    """'No, it can be undone.' becomes 'It can be undone.': what the sentence says stands in the
    article, the 'Yes' or 'No' before it is a guess of how that answers the question."""
    opening = _OPENING.match(sentence)
    if opening is None:
        return sentence
    rest = sentence[opening.end() :]
    return rest[0].upper() + rest[1:]


def _addresses(text: str) -> list[str]:
    return [found.rstrip(".,;:!?)>]\"'*").lower() for found in _ADDRESS.findall(text)]


def _words(text: str) -> frozenset[str]:
    """Each once; "no" and "cannot" are a "not"."""
    words = _WORD.findall(text.lower().replace("n't", " not"))
    return frozenset("not" if word in _DENYING else word for word in words)
