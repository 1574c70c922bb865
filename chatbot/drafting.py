"""An answer in the making: sentences are written, judged, and released or held."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace

from chatbot.answering.answerable import answerable, ours
from chatbot.answering.fitting import fitted
from chatbot.answering.focus import focused, to_the_point
from chatbot.answering.opening import is_plainly_answered, with_openings
from chatbot.answering.quote import apart_from_lists, is_numbered_list, quoted
from chatbot.claims import Claims
from chatbot.desk import Desk
from chatbot.errors import DeskgateError
from chatbot.safety.gate import Candidate
from chatbot.safety.grounding_slips import without_opening
from chatbot.safety.released import Draft, release_by_gate, release_static
from chatbot.safety.verdicts import verdict_of
from chatbot.steps import (
    Answered,
    Held,
    Otherwise,
    Replied,
    SentenceReleased,
    Step,
    Steps,
    TurnRequest,
)
from chatbot.types import (
    Action,
    Citation,
    Decision,
    Passage,
    Reason,
    ReasonCode,
    Route,
    Screening,
    Sentence,
    SentenceKind,
    Verdict,
)

ANSWERED_FROM = 0.34
"""Probability of an answer (``answerable``) below which nothing is said. From here on the best unit
is quoted where the model found none."""
OURS_FROM = 0.22
"""Probability that a message is the company's matter (``ours``), below which nothing is said: it
costs 1% of the dev questions with an answer. Of 130 dev messages about something else 55% are
answered without it, 8% with it."""
AFTER_FROM = 0.18
"""The same after an earlier question; at most 2% of the train and of the dev follow-ups fall below.
Of 129 dev messages about something else, asked after a question, 64% are answered without it."""
STEPS_FROM = 0.5
"""Probability of a numbered list from which it is told without the model."""
RELATED = 3  # articles offered when there is no answer
EARLIER = 2  # messages of the bot's, whose words do not complete a later answer


def nothing_found(route: Route, desk: Desk, related: tuple[Passage, ...]) -> Replied:
    """The honest text; or the question for what is missing, where the route names one."""
    if route.missing_slot and route.template:
        return Replied(release_static(route.template, desk.company.texts))
    return Replied(release_static("abstain", desk.company.texts), related)


class Drafting:
    """Compose and gate: sentence n is judged while sentence n + 1 is being written."""

    def __init__(
        self,
        request: TurnRequest,
        desk: Desk,
        screening: Screening,
        route: Route,
        passages: tuple[Passage, ...],
        query: str,
        otherwise: Otherwise | None = None,
        alone: tuple[Passage, ...] | None = None,
    ) -> None:
        """``otherwise`` is said instead of an answer that is not likely to be one; ``alone`` is
        what the message finds without the turn before."""
        self.request, self.desk, self.route = request, desk, route
        fitting = fitted(passages, screening.redacted, request.history)
        self.passages, self.shown = focused(
            with_openings(fitting, screening.redacted, request.history)
        )
        self.screening, self.query, self.otherwise = screening, query, otherwise
        self.draft = Draft()
        self.own = {**request.placeholders, **screening.placeholders}
        self.before = "".join(s.separator + s.text for s in request.released).strip()
        self.claims = sum(s.kind is SentenceKind.CLAIM for s in request.released)
        self.reasons: tuple[Reason, ...] = self._reasons_before_the_first_sentence()
        self.first_held = 0 if self.reasons else -1
        self.abstained = self.quoted = self.composed = False
        self.best_unit = max((score for p in self.passages for _, score in p.units), default=0.0)
        earlier = [m.text for m in request.history if m.role != "customer"][-EARLIER:]
        self.settling = Claims(desk, query, self.passages, self.best_unit, earlier)
        about = ours(fitting, route.out_of_scope_score, screening.redacted, alone)
        self.is_ours = about >= (OURS_FROM if alone is None else AFTER_FROM)
        self.judged = fitting
        self.plain = is_plainly_answered(fitting, screening.redacted, request.history)
        self.odds = answerable(fitting, None)
        self.decided = False

    @property
    def held(self) -> bool:
        return self.first_held >= 0

    async def run(self) -> Steps:
        if not self._wanted_anyway():
            if not self.is_ours:
                yield self._nothing()
                return
            doubt = await self._doubt()
            self.odds = answerable(self.judged, doubt)
            if self.plain:
                self.odds = max(self.odds, ANSWERED_FROM)
            self.decided = doubt is not None
            if self.odds < ANSWERED_FROM:
                yield self._nothing()
                return
        if not self._told_in_steps():
            if opening := self._opening():
                async for step in self._judge(opening):
                    yield step
            async for step in self._compose():
                yield step
        async for step in self._end():
            yield step

    async def _compose(self) -> Steps:
        """What the model writes, as far as it stands."""
        try:
            async for written in self._written():
                if written.kind is SentenceKind.ABSTENTION:
                    self.abstained = True
                    break
                settled = await self.settling.settle(written, self._said())
                told = self.claims
                if reason := settled.reason:
                    self.draft.add(written, Decision(verdict_of([reason]), (reason,)))
                if settled.sentence is not None:
                    async for step in self._judge(settled.sentence):
                        yield step
                self.composed |= settled.again or self.claims > told
        except (DeskgateError, TimeoutError) as error:
            self._hold(
                Reason(ReasonCode.ENGINE_FAILED, f"The answer model did not finish: {error}.")
            )

    def _nothing(self) -> Otherwise:
        related = self.passages[:RELATED] if self.is_ours else ()
        return self.otherwise or nothing_found(self.route, self.desk, related)

    def _wanted_anyway(self) -> bool:
        """Somebody waits for a draft, whether an article answers or not."""
        waits = self.held and self.otherwise is None
        return bool(waits or self.request.always_compose or self.request.released)

    async def _doubt(self) -> float | None:
        """The answer model's own, asked before it writes: its prompt is then read already."""
        try:
            return await self.desk.doubt(
                self.screening.redacted,
                self.shown,
                self.request.history,
                self.request.conversation,
            )
        except (DeskgateError, TimeoutError):
            return None  # that it does not work is found, and held, where it should write

    def _told_in_steps(self) -> bool:
        """The answer is most likely a numbered list: it is kept as it is, since a model of this
        size runs the steps together."""
        if self.held or self.request.released or self.best_unit < STEPS_FROM:
            return False
        return any(
            is_numbered_list(quoted(text, self.passages, number).text)
            for number, passage in enumerate(self.passages, start=1)
            for text, score in passage.units
            if score == self.best_unit
        )

    def _opening(self) -> Sentence | None:
        """What the answer to a plain question begins with: the sentence that opens an article,
        where that made it the best unit. A model of this size often begins with an aside."""
        unsure = self.odds < ANSWERED_FROM
        if self.held or self.request.released or self.settling.several or unsure:
            return None
        judged = {passage.chunk: passage.units for passage in self.judged}
        for number, passage in enumerate(self.passages, start=1):
            text, score = passage.units[0] if passage.units else ("", 0.0)
            if score and score == self.best_unit > judged[passage.chunk][0][1]:
                return quoted(text, self.passages, number)
        return None

    async def _written(self) -> AsyncGenerator[Sentence, None]:
        """Sentences as the model finishes them; the model goes on while one is judged."""
        queue: asyncio.Queue[Sentence | BaseException | None] = asyncio.Queue(maxsize=4)

        async def write() -> None:
            try:
                async for sentence in self.desk.compose(
                    self.screening.redacted,
                    to_the_point(self.shown),
                    self.request.history,
                    self.request.released,
                    self.request.conversation,
                    self.decided,
                ):
                    await queue.put(replace(sentence, text=without_opening(sentence.text)))
                await queue.put(None)
            except Exception as error:  # noqa: BLE001 - handed to the reader below
                await queue.put(error)

        writer = asyncio.create_task(write())
        try:
            while (item := await queue.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)

    async def _judge(self, sentence: Sentence) -> Steps:
        sentence = self.desk.restore(apart_from_lists(sentence, self.before), self.own)
        decision = await self.desk.gate.check_sentence(sentence, self._candidate())
        self.draft.add(sentence, decision)
        if decision.verdict is Verdict.HOLD and not self.held:
            self._hold(*decision.reasons, at=len(self.draft.sentences) - 1)
        if decision.verdict is not Verdict.RELEASE or self.held:
            return  # an unsupported claim is dropped; after a hold nothing more leaves
        citations = await self._citations(sentence, decision.supported_by)
        released = release_by_gate(sentence.text, decision, citations)
        self.before = f"{self.before}{sentence.separator}{sentence.text}".strip()
        self.claims += sentence.kind is SentenceKind.CLAIM
        yield SentenceReleased(released, sentence, decision)

    async def _end(self) -> Steps:
        if not self.held:
            if not self.claims and self.abstained and self.odds < ANSWERED_FROM:
                yield self._nothing()
                return
            self.quoted = not self.composed
        for quote in await self.settling.quotes():
            if new := await self.settling.new(quote, self._said()):
                async for step in self._judge(new):  # none where a person has to answer anyway
                    yield step
        while more := await self.settling.another(self._said()):
            async for step in self._judge(more):
                yield step
        for step in self._closed(complete=self.claims > 0):
            yield step

    def _closed(self, complete: bool) -> Iterator[Step]:
        """What ends the turn. ``complete``: what was released says something."""
        if self.held:
            yield self._held()
            return
        if not complete:
            yield self._nothing()
            return
        disclaimer = self.desk.disclaimer(self.route.intent)
        if disclaimer and disclaimer not in self.before:
            released = release_static("disclaimer", {"disclaimer": disclaimer})
            sentence = Sentence(disclaimer, SentenceKind.COURTESY, separator="\n")
            yield SentenceReleased(released, sentence, Decision(Verdict.RELEASE))
        yield Answered(self.route, self.draft, self.passages, quoted=self.quoted)

    def _said(self) -> list[Sentence]:
        """Claims of the answer so far, those included that wait for a person."""
        spoken = (*self.request.released, *self.draft.kept())
        return [sentence for sentence in spoken if sentence.kind is SentenceKind.CLAIM]

    def _candidate(self) -> Candidate:
        return Candidate(
            text="",
            before=self.before,
            passages=self.passages,
            own_values=frozenset(self.own.values()),
            intent=self.route.intent,
        )

    async def _citations(
        self, sentence: Sentence, supported_by: tuple[int, ...]
    ) -> tuple[Citation, ...]:
        """Only passages that exist and were found to support the sentence."""
        if sentence.kind is not SentenceKind.CLAIM:
            return ()
        return await self.desk.citations(
            {n: self.passages[n - 1] for n in supported_by if 1 <= n <= len(self.passages)}
        )

    def _held(self) -> Held:
        return Held(self.route, self.reasons, self.draft, self.first_held, self.passages)

    def _hold(self, *reasons: Reason, at: int | None = None) -> None:
        self.reasons += reasons
        if not self.held:
            self.first_held = len(self.draft.sentences) if at is None else at

    def _reasons_before_the_first_sentence(self) -> tuple[Reason, ...]:
        """What must be reviewed anyway is decided here: then nothing streams."""
        reasons = []
        if self.route.action is Action.ALWAYS_REVIEW:
            reasons.append(
                Reason(
                    ReasonCode.ALWAYS_REVIEW,
                    f"The policy sends every {self.route.intent!r} answer to a person.",
                    rule=f"routes.toml: {self.route.intent}",
                )
            )
        if self.request.sampled:
            reasons.append(Reason(ReasonCode.SAMPLED, "Picked at random to be reviewed."))
        return tuple(reasons)
