"""Everything a turn needs, under the names of its stages.

``turn.py`` speaks to a ``Desk``; the model calls behind it run on worker threads.
``chatbot/loading.py`` builds one from the settings.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from chatbot.answering.citations import with_marks
from chatbot.answering.composer import Composer
from chatbot.answering.engine import Engine
from chatbot.answering.fitting import fitted
from chatbot.answering.kinds import sentence_kind
from chatbot.answering.sentences import split_sentences
from chatbot.company import Company
from chatbot.danger import in_danger
from chatbot.readiness import readiness_of
from chatbot.routing.hours import closed_at
from chatbot.safety.crisis import looked_at
from chatbot.safety.gate import Gate
from chatbot.safety.moderation import Moderation, Moderator
from chatbot.safety.pii import restore
from chatbot.safety.rules import danger_in_words
from chatbot.types import (
    Action,
    Citation,
    HistoryMessage,
    Passage,
    Prediction,
    Route,
    Screening,
    Sentence,
    SentenceKind,
    Side,
)
from chatbot.workers import Workers
from knowledge_base.encoder import TextEncoder
from knowledge_base.query import joined_pair, search_queries
from knowledge_base.retriever import Retriever

if TYPE_CHECKING:
    from chatbot.routing.company_entities import CompanyEntities
    from chatbot.routing.model import RouterModel
    from chatbot.routing.policy import RoutePolicy
    from chatbot.safety.grounding import GroundingChecker
    from chatbot.safety.passages import PassageGuard
    from chatbot.safety.policy import Policy
    from chatbot.safety.screen import Screen
    from knowledge_base.curated import CuratedAnswer
    from knowledge_base.warming import Warming

log = logging.getLogger(__name__)

DERIVED = ("url", "units", "leads")
"""What a stored passage holds beyond what makes it."""


@dataclass
class Desk:
    """One per process. Built by ``load_desk``; tests build their own with other parts."""

    company: Company
    workers: Workers
    encoder: TextEncoder
    router: RouterModel
    routes: RoutePolicy
    company_entities: CompanyEntities
    screener: Screen
    policy: Policy
    retriever: Retriever
    engine: Engine
    composer: Composer
    gate: Gate
    grounding: GroundingChecker
    moderator: Moderator
    stage_deadline_s: float = 20.0
    passage_guard: PassageGuard | None = None
    warming: Warming | None = None
    rewords: bool = False
    """Whether the model may say in words of its own what an article says."""

    # The stages of a turn

    async def hidden(
        self, messages: Sequence[HistoryMessage], known: Mapping[str, str]
    ) -> tuple[tuple[HistoryMessage, ...], dict[str, str]]:
        """Messages that come from outside as retrieval and prompts may see them, and ``known``
        with the placeholders of what was hidden."""

        def hide() -> tuple[tuple[HistoryMessage, ...], dict[str, str]]:
            found, placeholders = [], dict(known)
            for message in messages:
                text, used = self.screener.hide(message.text, placeholders)
                placeholders |= used
                found.append(replace(message, text=text))
            return tuple(found), placeholders

        return await self.workers.run(hide, deadline_s=self.stage_deadline_s)

    async def understand(
        self, text: str, history: Sequence[HistoryMessage], known: Mapping[str, str]
    ) -> tuple[Screening, Route]:
        """One pass of the router's model, then screen and declared policy. Where a model fails,
        plain words of danger are still answered as such."""
        spoken = [(message.role, message.text) for message in history]
        try:
            prediction, screening = await self.workers.run(
                self._read, text, known, spoken, deadline_s=self.stage_deadline_s
            )
        except Exception:
            danger = await asyncio.to_thread(danger_in_words, text, self.policy.rules.crisis)
            if danger is None:
                raise
            log.exception("a message was not read by the models; its words speak of danger")
            return in_danger(text, danger)
        return screening, self._route(screening, prediction, history)

    def _read(
        self, text: str, known: Mapping[str, str], spoken: Sequence[tuple[str, str]] = ()
    ) -> tuple[Prediction, Screening]:
        """A follow-up that says too little by itself is routed with the turn before it."""
        *joined, _ = search_queries(spoken, text)
        prediction, *others = self.router.predict([text, *joined])
        today = datetime.now(self.company.timezone).date()
        entities = self.company_entities.complete(text, prediction.entities, today)
        prediction = replace(prediction, entities=entities)
        screening = self.screener.screen(text, prediction, known)
        screening = replace(
            screening,
            entities=self.company_entities.complete(text, screening.entities, today),
        )
        return self.routes.read_together(prediction, others), screening

    def _route(
        self, screening: Screening, prediction: Prediction, history: Sequence[HistoryMessage]
    ) -> Route:
        said = (m.text for m in history if m.role == "customer")
        route = self.routes.decide(
            screening,
            prediction,
            history,
            company_language=self.company.language,
            remembered={e.label for text in said for e in self.company_entities.find(text)},
            closed=closed_at(self.company, datetime.now(UTC)),
        )
        return looked_at(route, screening.reasons)

    def labels(self, route: Route) -> tuple[str, str]:
        """How routes.toml names the two likeliest intents, for a question back; '' if unnamed."""
        names = [route.intent, *(name for name, _ in route.alternatives[:1])]
        found = [self.routes.label(name) for name in names]
        return found[0], found[1] if len(found) > 1 else ""

    @property
    def sample_rate(self) -> float:
        """Share of answers that a person reviews although nothing is wrong with them."""
        return self.policy.review_sample_rate

    @property
    def always_reviewed(self) -> tuple[str, ...]:
        """Intents whose answers routes.toml sends to a person first."""
        return self.routes.intents_to(Action.ALWAYS_REVIEW)

    def disclaimer(self, intent: str) -> str | None:
        """What policy.toml wants under every answer of this intent."""
        return self.policy.disclaimers.get(intent)

    async def retrieve(
        self,
        queries: Sequence[str],
        k: int,
        audiences: Sequence[str],
        *,
        floor: bool = True,
        locale: str | None = None,
    ) -> list[Passage]:
        """The best passages for ``knowledge_base.query.search_queries``, best first."""

        def search() -> list[Passage]:
            found = self.retriever.search_all(
                queries, k, audiences=tuple(audiences), floor=floor, locale=locale
            )
            return found if self.passage_guard is None else self.passage_guard.safe(found)

        return await self.workers.run(search, deadline_s=self.stage_deadline_s)

    async def found_alone(
        self, queries: Sequence[str], k: int, audiences: Sequence[str], locale: str | None = None
    ) -> tuple[Passage, ...] | None:
        """What a message finds by itself that was searched for together with the question before;
        None where it was not. The search for it has been done already, as one of ``queries``."""
        pair = joined_pair(queries)
        if pair is None:
            return None
        message = queries[pair[1]]
        found = await self.retrieve((message,), k, audiences, floor=False, locale=locale)
        return fitted(found, message, ())

    async def curated(
        self, question: str, audiences: Sequence[str], locale: str | None = None
    ) -> tuple[CuratedAnswer, Passage | None] | None:
        """What staff wrote for this very question, with a passage of the article to cite."""

        def match() -> tuple[CuratedAnswer, Passage | None] | None:
            return self.retriever.curated(question, audiences=tuple(audiences), locale=locale)

        return await self.workers.run(match, deadline_s=self.stage_deadline_s)

    def compose(
        self,
        question: str,
        passages: Sequence[Passage],
        history: Sequence[HistoryMessage],
        released: Sequence[Sentence],
        conversation: str = "",
        answers: bool = False,
    ) -> AsyncGenerator[Sentence, None]:
        prefix = "".join(s.separator + with_marks(s.text, s.cited) for s in released).strip()
        return self.composer.compose(question, passages, history, prefix, conversation, answers)

    async def doubt(
        self,
        question: str,
        passages: Sequence[Passage],
        history: Sequence[HistoryMessage],
        conversation: str = "",
    ) -> float | None:
        """How likely the answer model is to find no answer in ``passages``; None if unknown."""
        return await self.composer.doubt(question, passages, history, conversation)

    async def relevance(self, question: str, sentence: str, place: str = "") -> float | None:
        """Probability that a sentence answers the question; None without a reranker. ``place``
        names what it is about: the title and heading of the passage that it rests on."""
        reranker = self.retriever.reranker
        if reranker is None:
            return None

        def judge() -> float:
            return float(reranker.score(question, [(place, sentence)])[0])

        return await self.workers.run(judge, deadline_s=self.stage_deadline_s)

    async def showable(self, passages: Sequence[Passage]) -> list[Passage]:
        """Passages as a customer may see them beside an answer: '' for the title or the text that
        the bot might not say. What cannot be judged is not shown."""
        if not passages:
            return []
        texts = [text for p in passages for text in (p.title, p.text)]
        try:
            judged = await self.workers.run(
                self._moderator().moderate_many, texts, Side.BOT, deadline_s=self.stage_deadline_s
            )
        except Exception:
            log.exception("what stands beside an answer was not judged, so it is not shown")
            return [replace(passage, title="", text="") for passage in passages]
        return [
            replace(
                passage,
                title="" if title.flagged else passage.title,
                text="" if text.flagged else passage.text,
            )
            for passage, title, text in zip(passages, judged[::2], judged[1::2], strict=True)
        ]

    async def citations(self, passages: Mapping[int, Passage]) -> tuple[Citation, ...]:
        """Of passages by their numbers in the prompt. Where the title may not be shown, the
        company's name stands for it: the link is still the reader's."""
        shown = await self.showable(list(passages.values()))
        return tuple(
            Citation.of(number, replace(passage, title=passage.title or self.company.name))
            for number, passage in zip(passages, shown, strict=True)
        )

    @staticmethod
    def restore(sentence: Sentence, placeholders: Mapping[str, str]) -> Sentence:
        """The waiting customer's own values in place of their placeholders."""
        return replace(sentence, text=restore(sentence.text, placeholders))

    # For staff

    async def moderate(self, text: str, side: Side) -> Moderation:
        """By the policy in force, as the gate judges."""
        return await self.workers.run(
            self._moderator().moderate, text, side, deadline_s=self.stage_deadline_s
        )

    def _moderator(self) -> Moderator:
        """The toxicity model under the policy of this moment."""
        return Moderator(self.moderator.scorer, self.policy.calibrated(self.moderator.calibration))

    async def supporting(self, text: str, passages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Citations of the passages that support a sentence of a person's text."""
        known = [
            Passage(**{name: value for name, value in passage.items() if name not in DERIVED})
            for passage in passages
        ]

        def find() -> list[int]:
            numbers: set[int] = set()
            for sentence in split_sentences(text):
                if known and sentence_kind(sentence) is SentenceKind.CLAIM:
                    result = self.grounding.check(sentence, known)
                    if result.supported:
                        numbers |= set(result.passages)
            return sorted(numbers)

        numbers = await self.workers.run(find, deadline_s=self.stage_deadline_s)
        cited = await self.citations({n: known[n - 1] for n in numbers})
        return [citation.as_json() for citation in cited]

    async def classify(self, text: str) -> dict[str, Any]:
        """Intent, entities, scores and the nearest training examples of one text."""
        prediction, screening = await self.workers.run(
            self._read, text, {}, deadline_s=self.stage_deadline_s
        )
        route = self._route(screening, prediction, ())
        nearest = await self.workers.run(self.router.nearest, text)
        return {
            "intent": prediction.intent,
            "confidence": round(prediction.confidence, 4),
            "intents": [
                {"intent": name, "confidence": round(score, 4)}
                for name, score in prediction.intents[:5]
            ],
            "out_of_scope": prediction.out_of_scope,
            "out_of_scope_score": round(prediction.out_of_scope_score, 4),
            "entities": [entity.as_json() for entity in screening.entities],
            "route": route.as_json(),
            "tone": screening.tone.value,
            "language": screening.language.code,
            "injection": round(screening.injection, 4),
            "nearest": nearest,
        }

    @property
    def toxicity_name(self) -> str:
        return self.moderator.scorer.name

    def readiness(self) -> dict[str, dict[str, Any]]:
        """Each part, whether it works, and what is wrong with it if it does not."""
        return readiness_of(self)

    async def close(self) -> None:
        if self.warming is not None:
            self.warming.stop()
        await self.engine.close()
        self.workers.close()
