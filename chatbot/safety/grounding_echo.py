"""Words of the question in a claim whose passages do not know them.

A small model likes to answer in the question's words: asked for a neck size it calls the chest
measure of the table one. Every number then stands in the passage, and the sentence is false.
"""

from __future__ import annotations

from collections.abc import Sequence

from chatbot.safety.grounding_claim import Claim
from chatbot.safety.grounding_units import read_passage
from chatbot.safety.grounding_words import content_stems, tidy
from chatbot.types import Passage


def echoed(claim: str, question: str, passages: Sequence[Passage]) -> frozenset[str]:
    """Stems of content words that claim and question share and no passage has."""
    shared = set(Claim.of(claim).stems) & set(content_stems(tidy(question)))
    return frozenset(shared.difference(*(read_passage(passage).stems for passage in passages)))
