"""What becomes of a claim before the gate judges it: it stays, is set right, or is dropped.

The gate asks whether a passage supports a sentence. Here it is asked first whether the sentence
says what the passage says, in words that the passage accounts for, and whether that answers the
question at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chatbot.answering.quote import quoted, unsaid
from chatbot.desk import Desk
from chatbot.safety.grounding_slips import slip
from chatbot.safety.retelling import Retold, retold
from chatbot.types import Passage, Reason, ReasonCode, Sentence, SentenceKind
from knowledge_base.reranker import place_of

BESIDE_THE_POINT = 0.4
"""A first claim that answers the question by less than this share of what the best unit does is
dropped: the model wrote a true sentence about something else. On dev, with an earlier adapter,
claims above it were right in 69%, those below in 38%, and the unit quoted in their place in 49%."""
BEST_ENOUGH = 0.8
"""Of the best unit's probability: from there on the piece that the model meant opens the answer
where its words had to be set right. Below, the best units are quoted in order."""


@dataclass(frozen=True, slots=True)
class Settled:
    """``sentence`` goes on to the gate, None where nothing does; ``reason`` says why what the
    model wrote does not."""

    sentence: Sentence | None
    reason: Reason | None = None


class Claims:
    """Of one answer. ``best`` is the probability of the best unit of ``passages``."""

    def __init__(self, desk: Desk, query: str, passages: Sequence[Passage], best: float) -> None:
        self.desk, self.query, self.passages, self.best = desk, query, passages, best

    async def settle(self, written: Sentence, said: Sequence[str]) -> Settled:
        """``said``: sentences of the answer so far; the first claim must answer the question."""
        if written.kind is not SentenceKind.CLAIM or not self.best:
            return Settled(written)
        if self.desk.rewords:
            return await self._rest(written, None, first=not said)
        found = await self.desk.workers.run(retold, written.text, self.passages)
        if found is None:
            return Settled(None, _reworded("No passage says this in these words."))
        if found.faithful:
            return await self._rest(written, found, first=not said)
        reason = _reworded(f"It changes the words of “{found.unit}”")
        own = quoted(found.unit, self.passages, found.passage)
        if not said and found.score < BEST_ENOUGH * self.best:
            return Settled(None, reason)
        if said and not await self.desk.workers.run(unsaid, (own,), said, self.desk.encoder):
            return Settled(None, reason)
        return Settled(own, reason)

    async def _rest(self, written: Sentence, found: Retold | None, *, first: bool) -> Settled:
        """A claim in words that the passages account for."""
        whole = found is not None and _same(written.text, found.unit)
        cited = [self.passages[n - 1] for n in written.cited if 1 <= n <= len(self.passages)]
        if not whole and (reason := slip(written.text, self.query, cited or self.passages)):
            return Settled(None, reason)
        if not first:
            return Settled(written)
        least = BESIDE_THE_POINT * self.best
        if whole and found is not None and found.score >= least:
            return Settled(written)
        place = place_of(cited[0].title, cited[0].heading) if cited else ""
        relevance = await self.desk.relevance(self.query, written.text, place)
        if relevance is None or relevance >= least:
            return Settled(written)
        return Settled(
            None,
            Reason(
                ReasonCode.BESIDE_THE_POINT,
                "It does not answer the question as well as the passage does.",
                score=round(relevance, 4),
                threshold=round(least, 4),
            ),
        )


def _reworded(detail: str) -> Reason:
    return Reason(ReasonCode.UNSUPPORTED_CLAIM, detail, rule="wording")


def _same(text: str, unit: str) -> bool:
    return text.removesuffix(".") == unit.removesuffix(".")
