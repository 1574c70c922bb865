"""Slips of a small answer model that the hard facts of a sentence do not show.

It likes to answer in the question's words: asked for a neck size it calls the chest measure of the
table one. It shortens a sentence by its condition ("…, for credit only"). And it opens with a
"Yes" or "No" that nobody has checked. Read blind, 4 of 100 delivered sentences had a wrong opening.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from chatbot.safety.grounding_claim import Claim, share
from chatbot.safety.grounding_units import read_passage
from chatbot.safety.grounding_words import content_stems, tidy
from chatbot.types import Passage

SAME_UNIT = 0.7  # of the claim's content words: it retells that unit
FEWEST_STEMS = 3  # shorter claims share their words with too many units
CONDITIONS = frozenset(
    ["only", "never", "except", "unless", "without", "excluding", "until", "not"]
)
NEGATIONS = frozenset(
    ["not", "no", "never", "cannot", "only", "nothing", "none", "neither", "without"]
)
_OPENING = re.compile(r"^(yes|no),\s+(?=\w+\W+\w)", re.IGNORECASE)
_WORD = re.compile(r"[a-z]+")


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


def without_opening(sentence: str) -> str:
    """'No, it can be undone.' becomes 'It can be undone.': a 'No' before a sentence that denies
    nothing, and a 'Yes' before one that does, is a guess. Others stay."""
    opening = _OPENING.match(sentence)
    if opening is None:
        return sentence
    rest = sentence[opening.end() :]
    denies = bool(NEGATIONS & _words(rest))
    if denies == (opening[1].lower() == "no"):
        return sentence
    return rest[0].upper() + rest[1:]


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.lower().replace("n't", " not")))
