"""The journey of one message, top to bottom.

    text -> screen -> route -> retrieve -> compose -> gate -> released | held | handed over

Nothing here knows of HTTP or of the database: the caller decides what a step means for the
waiting customer (``conversations``), for an agent (``assist``) or for an API client.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field

from chatbot.answering.focus import focused
from chatbot.answering.quote import best_quote
from chatbot.desk import Desk
from chatbot.errors import DeskgateError
from chatbot.safety.gate import Candidate
from chatbot.safety.released import Draft, Released, release_by_gate, release_static
from chatbot.types import (
    Action,
    Citation,
    Decision,
    HistoryMessage,
    Passage,
    Reason,
    ReasonCode,
    Route,
    Screening,
    Sentence,
    SentenceKind,
    Verdict,
)
from knowledge_base.query import search_queries

PASSAGES = 6  # searched for; the model reads the best units of them (answering/focus.py)
SURELY_RELEVANT = 0.8
"""From here on the best passage is quoted although the model finds no answer in it. On the
sample questions, train and dev, no unanswerable question reaches it and 23% of the others do."""
RELATED = 3  # articles offered when there is no answer


@dataclass(frozen=True)
class TurnRequest:
    """What is asked. ``history`` is redacted; ``released`` are the sentences of this answer
    that the customer already has (a resumed turn), never changed."""

    question: str
    history: tuple[HistoryMessage, ...] = ()
    placeholders: Mapping[str, str] = field(default_factory=dict)
    released: tuple[Sentence, ...] = ()
    audiences: tuple[str, ...] = ("public",)
    sampled: bool = False
    always_compose: bool = False
    """Assist: draft an answer whatever the route says, since a person will send it."""


@dataclass(frozen=True)
class Understood:
    """The first step of every turn: what was read out of the message, and where it goes."""

    screening: Screening
    route: Route


@dataclass(frozen=True)
class SentenceReleased:
    released: Released
    sentence: Sentence
    decision: Decision


@dataclass(frozen=True)
class Replied:
    """A whole pre-approved reply; ``related`` are articles to offer beside it."""

    released: Released
    related: tuple[Passage, ...] = ()


@dataclass(frozen=True)
class HandedOver:
    released: Released
    urgent: bool
    why: str


@dataclass(frozen=True)
class Held:
    """The remainder waits for a person; what was released before stays as it is."""

    route: Route
    reasons: tuple[Reason, ...]
    draft: Draft
    first_held: int
    passages: tuple[Passage, ...]


@dataclass(frozen=True)
class Answered:
    """Everything was released; ``draft`` explains each sentence, the dropped ones too."""

    route: Route
    draft: Draft
    passages: tuple[Passage, ...]
    quoted: bool = False


Step = Understood | SentenceReleased | Replied | HandedOver | Held | Answered
Steps = AsyncGenerator[Step, None]


async def run_turn(request: TurnRequest, desk: Desk) -> Steps:
    """Yields ``Understood``, then what happens. Exactly one terminal step ends a turn:
    Replied, HandedOver, Held or Answered."""
    screening, route = await desk.understand(
        request.question, request.history, request.placeholders
    )
    yield Understood(screening, route)

    if not request.always_compose:
        fixed = _fixed_reply(route, screening, desk)
        if fixed is not None:
            yield fixed
            return

    queries = search_queries([(m.role, m.text) for m in request.history], screening.redacted)
    passages = tuple(await desk.retrieve(queries, PASSAGES, request.audiences))
    if not passages:
        related = await desk.retrieve(queries, RELATED, request.audiences, floor=False)
        yield _nothing_found(route, desk, tuple(related))
        return

    answer = _Answer(request, desk, screening, route, passages, queries[0])
    async for step in answer.run():
        yield step


def _fixed_reply(route: Route, screening: Screening, desk: Desk) -> Replied | HandedOver | None:
    """Routes that need no model: crisis, templates, refusals, slots, handovers."""
    texts = desk.company.texts
    if screening.crisis or route.action is Action.CRISIS:
        return HandedOver(release_static("crisis", texts), urgent=True, why=route.why)
    if route.action is Action.HANDOVER:
        text_id = route.template or "handover_notice"
        return HandedOver(release_static(text_id, texts), urgent=route.urgent, why=route.why)
    if any(reason.code is ReasonCode.INJECTION for reason in screening.reasons):
        return Replied(release_static("refuse", texts))
    if route.action is Action.TEMPLATE:
        return Replied(release_static(route.template or "greeting_reply", texts))
    if route.action is Action.ASK_SLOT:
        return Replied(release_static(route.template or f"ask_{route.missing_slot}", texts))
    if route.action is Action.REFUSE:
        return Replied(release_static(route.template or "refuse", texts))
    if route.action is Action.CLARIFY:
        first, second = desk.labels(route)
        if first and second:
            labels = {"first": first, "second": second}
            return Replied(release_static("clarify_between", texts, labels))
        return Replied(release_static("clarify", texts))
    return None


def _nothing_found(route: Route, desk: Desk, related: tuple[Passage, ...]) -> Replied:
    """The honest text; or the question for what is missing, where the route names one."""
    if route.missing_slot and route.template:
        return Replied(release_static(route.template, desk.company.texts))
    return Replied(release_static("abstain", desk.company.texts), related)


class _Answer:
    """Compose and gate: sentence n is judged while sentence n + 1 is being written."""

    def __init__(
        self,
        request: TurnRequest,
        desk: Desk,
        screening: Screening,
        route: Route,
        passages: tuple[Passage, ...],
        query: str,
    ) -> None:
        self.request, self.desk, self.route = request, desk, route
        self.passages, self.shown = focused(passages)
        self.screening, self.query = screening, query
        self.draft = Draft()
        self.own = {**request.placeholders, **screening.placeholders}
        self.before = "".join(s.separator + s.text for s in request.released).strip()
        self.claims = sum(s.kind is SentenceKind.CLAIM for s in request.released)
        self.reasons: tuple[Reason, ...] = self._reasons_before_the_first_sentence()
        self.first_held = 0 if self.reasons else -1
        self.abstained = self.quoted = False

    @property
    def held(self) -> bool:
        return self.first_held >= 0

    async def run(self) -> Steps:
        try:
            async for sentence in self._written():
                if sentence.kind is SentenceKind.ABSTENTION:
                    self.abstained = True
                    break
                async for step in self._judge(sentence):
                    yield step
        except (DeskgateError, TimeoutError) as error:
            self._hold(
                Reason(ReasonCode.ENGINE_FAILED, f"The answer model did not finish: {error}.")
            )
        async for step in self._end():
            yield step

    async def _written(self) -> AsyncGenerator[Sentence, None]:
        """Sentences as the model finishes them; the model goes on while one is judged."""
        queue: asyncio.Queue[Sentence | BaseException | None] = asyncio.Queue(maxsize=4)

        async def write() -> None:
            try:
                async for sentence in self.desk.compose(
                    self.screening.redacted,
                    self.shown,
                    self.request.history,
                    self.request.released,
                ):
                    await queue.put(sentence)
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
        sentence = self.desk.restore(sentence, self.own)
        decision = await self.desk.gate.check_sentence(sentence, self._candidate())
        self.draft.add(sentence, decision)
        if decision.verdict is Verdict.HOLD and not self.held:
            self._hold(*decision.reasons, at=len(self.draft.sentences) - 1)
        if decision.verdict is not Verdict.RELEASE or self.held:
            return  # an unsupported claim is dropped; after a hold nothing more leaves
        released = release_by_gate(
            sentence.text, decision, self._citations(sentence, decision.supported_by)
        )
        self.before = f"{self.before}{sentence.separator}{sentence.text}".strip()
        self.claims += sentence.kind is SentenceKind.CLAIM
        yield SentenceReleased(released, sentence, decision)

    async def _end(self) -> Steps:
        if self.held:
            if not self.draft.sentences:
                await self._draft_quote()
            yield self._held()
            return
        if self.claims == 0:
            sure = self.passages[0].score >= SURELY_RELEVANT
            quote = await self._quote() if sure or not self.abstained else None
            if quote is None:
                yield _nothing_found(self.route, self.desk, self.passages[:RELATED])
                return
            self.quoted = True
            async for step in self._judge(quote):
                yield step
            if self.held:
                yield self._held()
                return
            if self.claims == 0:
                yield _nothing_found(self.route, self.desk, self.passages[:RELATED])
                return
        disclaimer = self.desk.disclaimer(self.route.intent)
        if disclaimer and disclaimer not in self.before:
            released = release_static("disclaimer", {"disclaimer": disclaimer})
            sentence = Sentence(disclaimer, SentenceKind.COURTESY, separator="\n")
            yield SentenceReleased(released, sentence, Decision(Verdict.RELEASE))
        yield Answered(self.route, self.draft, self.passages, quoted=self.quoted)

    async def _draft_quote(self) -> None:
        """A reviewer who must answer anyway gets the nearest words of an article to start from."""
        quote = await self._quote()
        if quote is not None:
            async for _ in self._judge(quote):
                pass

    async def _quote(self) -> Sentence | None:
        """When no sentence of the model stands: the passage's own words."""
        return await self.desk.workers.run(best_quote, self.query, self.passages, self.desk.encoder)

    def _candidate(self) -> Candidate:
        return Candidate(
            text="",
            before=self.before,
            passages=self.passages,
            own_values=frozenset(self.own.values()),
            intent=self.route.intent,
        )

    def _citations(self, sentence: Sentence, supported_by: tuple[int, ...]) -> tuple[Citation, ...]:
        """Only passages that exist and were found to support the sentence."""
        if sentence.kind is not SentenceKind.CLAIM:
            return ()
        return tuple(
            Citation.of(number, self.passages[number - 1])
            for number in supported_by
            if 1 <= number <= len(self.passages)
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
