"""What becomes of a claim before the gate judges it: it stays, is set right, or is dropped.

The gate asks whether a passage supports a sentence. Here it is asked first whether the sentence
says what the passage says, in words that the passage accounts for, and whether that answers the
question at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chatbot.answering.focus import BESIDE_THE_POINT
from chatbot.answering.quote import (
    also,
    best_quotes,
    cut_from,
    is_numbered_list,
    quoted,
    repeated,
    unsaid,
    what_is_new,
    without_heading_again,
)
from chatbot.desk import Desk
from chatbot.safety.grounding_slips import slip
from chatbot.safety.grounding_words import of_another_place, places_of
from chatbot.safety.retelling import Retold, retold
from chatbot.types import Passage, Reason, ReasonCode, Sentence, SentenceKind
from knowledge_base.reranker import place_of

SURE_FROM = 0.5
"""Where the first claim answers with this probability, a later one must too, unless the message
asks several things. Of 177 later claims on dev, read one by one, 92 were beside the point; this
leaves out 24 of them, 10 of the other 85, and 1 of 132 right answers."""
BEST_ENOUGH = 0.8
"""Of the best unit's probability: from there on the piece that the model meant opens the answer
where its words had to be set right. Below, the best units are quoted in order."""

UNLIKELY, CERTAIN = 0.2, 0.9
"""Best unit's probability between which an answer to one question is completed. Of train and dev
rows above, 92% are right without; below, a third, and more of the same article makes it 2% more."""
PIECES, PIECES_OF_SEVERAL = 3, 4
"""An answer is completed up to so many; the second where the message asks several things."""
COMPLETE_WORDS = 60
"""An answer is completed up to so many words."""


@dataclass(frozen=True, slots=True)
class Settled:
    """``sentence`` goes on to the gate, None where nothing does; ``reason`` says why what the
    model wrote does not. ``again``: it was said already; ``slipped``: it leaves something out."""

    sentence: Sentence | None
    reason: Reason | None = None
    again: bool = False
    slipped: bool = False


class Claims:
    """Of one answer. ``best`` is the probability of the best unit of ``passages``."""

    def __init__(
        self,
        desk: Desk,
        query: str,
        passages: Sequence[Passage],
        best: float,
        earlier: Sequence[str] = (),
    ) -> None:
        """``earlier``: what the bot said in this conversation, which need not be said again."""
        self.desk, self.query, self.passages, self.best = desk, query, passages, best
        self.earlier = tuple(earlier)
        self.several = any(passage.leads for passage in passages)
        self._relevance: dict[str, float | None] = {}
        self._openings = {_bare(p.units[0][0]): p.units[0][1] for p in passages if p.units}
        self._quotes: tuple[Sentence, ...] | None = None
        self._offered: set[str] = set()

    async def settle(self, written: Sentence, said: Sequence[Sentence]) -> Settled:
        """``said``: sentences of the answer so far; the first claim must answer the question."""
        if written.kind is not SentenceKind.CLAIM or not self.best:
            return Settled(written)
        if repeated(written.text, [sentence.text for sentence in said]):
            return self._again()
        if self._elsewhere(written):
            detail = "It speaks of another country than the question."
            return Settled(None, Reason(ReasonCode.BESIDE_THE_POINT, detail))
        if self.desk.rewords:
            return await self._rest(written, None, said)
        found = await self.desk.workers.run(retold, written.text, self.passages)
        if found is None:
            return Settled(None, _reworded("No passage says this in these words."))
        if any(_same(sentence.text, found.unit) for sentence in said):
            return self._again()
        own = quoted(found.unit, self.passages, found.passage)
        if found.faithful:
            settled = await self._rest(written, found, said)
            if settled.sentence is None:
                if settled.slipped and found.score >= BEST_ENOUGH * self.best:
                    return Settled(await self.new(own, said), settled.reason)
                return settled
            steps = is_numbered_list(own.text)
            if steps and self._other_steps(found.passage, said):
                detail = "These are the steps of something else."
                return Settled(None, Reason(ReasonCode.BESIDE_THE_POINT, detail))
            whole = _same(written.text, found.unit) or await self._needs_the_rest(written, own)
            if not whole and not steps:
                return settled
            told = without_heading_again(own, [s.text for s in said], self.passages)
            return Settled(replace(written, text=told.text))
        reason = _reworded(f"It changes the words of “{found.unit}”")
        if not said and found.score < BEST_ENOUGH * self.best:
            return Settled(None, reason)
        return Settled(await self.new(own, said), reason)

    @staticmethod
    def _again() -> Settled:
        reason = Reason(ReasonCode.BESIDE_THE_POINT, "It was said already.")
        return Settled(None, reason, again=True)

    async def quotes(self) -> tuple[Sentence, ...]:
        """The best units, in the articles' own words: instead of an answer that does not stand,
        for what it leaves out, and for a reviewer to start from."""
        if self._quotes is None:
            self._quotes = await self.desk.workers.run(
                best_quotes, self.query, self.passages, self.desk.encoder
            )
        return self._quotes

    async def _needs_the_rest(self, written: Sentence, whole: Sentence) -> bool:
        """Whether ``written`` is cut out of a piece that would be quoted behind it, so that its
        words would be said twice."""
        if not cut_from(written.text, whole.text) or whole not in await self.quotes():
            return False
        return await self.new(whole, [written]) is not None

    async def new(self, quote: Sentence, said: Sequence[Sentence]) -> Sentence | None:
        """What of ``quote`` was not said, if it is worth saying beside it."""
        if self._elsewhere(quote):
            return None
        if is_numbered_list(quote.text) and self._other_steps(quote.cited[0], said):
            return None
        texts = [sentence.text for sentence in said]
        new = await self.desk.workers.run(unsaid, (quote,), texts, self.desk.encoder)
        if not new or await self.beside(new[0], said):
            return None
        return without_heading_again(new[0], texts, self.passages)

    async def another(self, said: Sequence[Sentence]) -> Sentence | None:
        """What else an article that was told from says, where the answer so far is not certain to
        be all that was asked for; None where enough was said. Each piece is offered once."""
        most = PIECES_OF_SEVERAL if self.several else PIECES
        worth = self.several or UNLIKELY <= self.best < CERTAIN
        if not said or not self.best or not worth or len(said) >= most:
            return None
        texts = [sentence.text for sentence in said]
        if any(map(is_numbered_list, texts)):
            return None
        left = COMPLETE_WORDS - sum(len(text.split()) for text in texts)
        pieces = [
            piece
            for piece in also(self.passages, said, self.best)
            if piece.text not in self._offered
            and len(piece.text.split()) <= left
            and not self._elsewhere(piece)
        ]
        told = [*texts, *self.earlier]
        for piece, new in await self.desk.workers.run(what_is_new, pieces, told, self.desk.encoder):
            self._offered.add(piece.text)
            return without_heading_again(new, texts, self.passages)
        return None

    async def beside(self, claim: Sentence, said: Sequence[Sentence]) -> Reason | None:
        """Why a claim is not worth saying after what was ``said``; None where it is."""
        if not said or not self.best or self.several:
            return None
        first = await self.relevance(said[0])
        opening = self._openings.get(_bare(said[0].text), 0.0)
        if first is None or max(first, opening) < SURE_FROM:
            return None
        relevance = await self.relevance(claim)
        return None if relevance is None else _beside(relevance, SURE_FROM)

    async def relevance(self, claim: Sentence) -> float | None:
        """Probability that a claim answers the question by itself; None without a reranker."""
        if claim.text not in self._relevance:
            cited = self._cited(claim)
            place = place_of(cited[0].title, cited[0].heading) if cited else ""
            self._relevance[claim.text] = await self.desk.relevance(self.query, claim.text, place)
        return self._relevance[claim.text]

    def _other_steps(self, number: int, said: Sequence[Sentence]) -> bool:
        """Whether steps of passage ``number`` are of something else than what was ``said``: one
        list is enough for one question, and it is one of an article that was told from."""
        if self.several or not said:
            return False
        if any(is_numbered_list(sentence.text) for sentence in said):
            return True
        articles = {passage.article for sentence in said for passage in self._cited(sentence)}
        return self.passages[number - 1].article not in articles

    def _elsewhere(self, claim: Sentence) -> bool:
        return of_another_place(claim.text, places_of(self.query))

    def _cited(self, claim: Sentence) -> list[Passage]:
        return [self.passages[n - 1] for n in claim.cited if 1 <= n <= len(self.passages)]

    async def _rest(
        self, written: Sentence, found: Retold | None, said: Sequence[Sentence]
    ) -> Settled:
        """A claim in words that the passages account for."""
        whole = found is not None and _same(written.text, found.unit)
        if not whole:
            reason = slip(written.text, self.query, self._cited(written) or self.passages)
            if reason:
                return Settled(None, reason, slipped=True)
        if said:
            reason = await self.beside(written, said)
            return Settled(None if reason else written, reason)
        least = BESIDE_THE_POINT * self.best
        if whole and found is not None and found.score >= least:
            return Settled(written)
        relevance = await self.relevance(written)
        reason = None if relevance is None else _beside(relevance, least)
        return Settled(None if reason else written, reason)


def _beside(relevance: float, least: float) -> Reason | None:
    if relevance >= least:
        return None
    return Reason(
        ReasonCode.BESIDE_THE_POINT,
        "It does not answer the question as well as what else can be said.",
        score=round(relevance, 4),
        threshold=round(least, 4),
    )


def _reworded(detail: str) -> Reason:
    return Reason(ReasonCode.UNSUPPORTED_CLAIM, detail, rule="wording")


def _same(text: str, unit: str) -> bool:
    return _bare(text) == _bare(unit)


def _bare(text: str) -> str:
    return text.removesuffix(".")
