"""A desk whose models are scripted; everything else (gate, database, HTTP) is real."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from chatbot.answering.composer import Composer
from chatbot.answering.engine import Engine
from chatbot.answering.scripted import ScriptedEngine
from chatbot.company import Company, load_company
from chatbot.desk import Desk
from chatbot.safety.gate import Candidate, Check, CheckResult, Gate
from chatbot.safety.moderation import Moderation
from chatbot.safety.pii import find_entities, redact
from chatbot.types import (
    Action,
    HistoryMessage,
    Language,
    Passage,
    Reason,
    ReasonCode,
    Route,
    Screening,
    SentenceKind,
    Side,
    Tone,
    Verdict,
)
from chatbot.workers import Workers
from knowledge_base.curated import CuratedAnswer
from knowledge_base.settings import SAMPLE_COMPANY

HOSTILE = "idiot"
INVENTED = "invented"
ELSEWHERE = "elsewhere"

PASSAGES = (
    Passage(
        article="return-window",
        version="0123456789ab",
        chunk="return-window#1",
        title="How long you have to return something",
        heading="",
        anchor="",
        text="You can return unworn clothing within 60 days of delivery.",
        score=0.9,
    ),
    Passage(
        article="return-costs",
        version="ba9876543210",
        chunk="return-costs#1",
        title="What a return costs",
        heading="",
        anchor="",
        text="Returns by post are free in the UK.",
        score=0.7,
    ),
)


class WordCheck:
    """Holds text with ``HOSTILE`` in it, calls a claim with ``INVENTED`` unsupported."""

    name = "words"

    def run(self, candidate: Candidate) -> CheckResult:
        if HOSTILE in candidate.whole.replace(" ", "").lower():
            reason = Reason(ReasonCode.TOXIC, "It has a hostile word.", words=HOSTILE)
            return CheckResult((reason,), {"toxicity": 0.99})
        if candidate.kind is SentenceKind.CLAIM and INVENTED in candidate.text:
            return CheckResult((Reason(ReasonCode.UNSUPPORTED_CLAIM, "No passage says so."),))
        cited = candidate.cited or (1,)
        return CheckResult((), {"toxicity": 0.01}, cited)


def route_to(action: Action, **values: Any) -> Route:
    return Route(
        intent=values.pop("intent", "return_policy"),
        confidence=0.9,
        out_of_scope=False,
        action=action,
        why="the test says so",
        **values,
    )


ANSWER = route_to(Action.ANSWER)
Routing = Callable[[str], Route]


def policy_of_words(text: str) -> Route:
    """'review …' is always reviewed, 'person …' handed over, 'hello' a template."""
    first = text.split(maxsplit=1)[0].lower() if text.split() else ""
    return {
        "review": route_to(Action.ALWAYS_REVIEW, intent="compensation_claim"),
        "person": route_to(Action.HANDOVER),
        "hello": route_to(Action.TEMPLATE, template="greeting_reply"),
        "crisis": route_to(Action.CRISIS, urgent=True),
    }.get(first, ANSWER)


class ScriptedDesk(Desk):
    """Overrides what needs trained models; the gate and the composer are the real ones."""

    def __init__(
        self,
        engine: Engine | None = None,
        *,
        checks: Sequence[Check] | None = None,
        passages: Sequence[Passage] = PASSAGES,
        route: Routing = policy_of_words,
        company: Company | None = None,
        check_deadline_s: float = 5.0,
        written: CuratedAnswer | None = None,
    ) -> None:
        self.written = written
        self.company = company or load_company(SAMPLE_COMPANY)
        self.workers = Workers()
        self.engine = engine or ScriptedEngine("You have 60 days [1]. Returns are free [2].")
        self.composer = Composer(self.engine, self.company.name)
        self.gate = Gate(checks or [WordCheck()], self.workers, check_deadline_s)
        self.passages = list(passages)
        self.routing = route
        self.encoder = WordEncoder()

    async def understand(
        self, text: str, history: Sequence[HistoryMessage], known: Mapping[str, str]
    ) -> tuple[Screening, Route]:
        route = self.routing(text)
        return screening(text, crisis=route.action is Action.CRISIS), route

    async def retrieve(
        self,
        queries: Sequence[str],
        k: int,
        audiences: Sequence[str],
        *,
        floor: bool = True,
        locale: str | None = None,
    ) -> list[Passage]:
        return self.passages[:k]

    async def curated(
        self, question: str, audiences: Sequence[str], locale: str | None = None
    ) -> tuple[CuratedAnswer, Passage | None] | None:
        """``written`` answers each question; where it names an article, a passage is cited."""
        if self.written is None:
            return None
        named = [p for p in self.passages if p.article == self.written.article]
        return self.written, named[0] if named else None

    async def showable(self, passages: Sequence[Passage]) -> list[Passage]:
        """Like the real one, with ``HOSTILE`` for what the bot might not say."""
        return [
            replace(
                passage,
                title="" if HOSTILE in passage.title else passage.title,
                text="" if HOSTILE in passage.text else passage.text,
            )
            for passage in passages
        ]

    async def hidden(
        self, messages: Sequence[HistoryMessage], known: Mapping[str, str]
    ) -> tuple[tuple[HistoryMessage, ...], dict[str, str]]:
        """By patterns alone."""
        found, placeholders = [], dict(known)
        for message in messages:
            text, used = redact(message.text, find_entities(message.text), placeholders)
            placeholders |= used
            found.append(replace(message, text=text))
        return tuple(found), placeholders

    async def relevance(self, question: str, sentence: str, place: str = "") -> float | None:
        """``ELSEWHERE`` marks a sentence that answers nothing."""
        return 0.01 if ELSEWHERE in sentence else 0.9

    async def supporting(self, text: str, passages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return []

    async def moderate(self, text: str, side: Side) -> Moderation:
        flagged = HOSTILE in text
        return Moderation(
            flagged, Verdict.HOLD if flagged else Verdict.RELEASE, {"toxicity": float(flagged)}, ()
        )

    sample_rate = 0.0  # type: ignore[assignment]
    always_reviewed = ("compensation_claim",)  # type: ignore[assignment]

    def disclaimer(self, intent: str) -> str | None:
        return None

    @property
    def toxicity_name(self) -> str:
        return "words"

    def readiness(self) -> dict[str, dict[str, Any]]:
        parts = ("engine", "knowledge", "routes", "policy", "toxicity", "checks")
        return {name: {"ok": True} for name in parts}

    async def close(self) -> None:
        self.workers.close()


class WordEncoder:
    """Bags of letters: enough for choosing a quotation. Each letter counts a few times more than
    it occurs, so that all texts are alike and no scripted answer is short of a quotation."""

    name = "letters"
    dimension = 26

    def embed(self, texts: Sequence[str]) -> Any:
        import numpy as np

        vectors = np.full((len(texts), 26), 9.0, dtype=np.float32)
        for row, text in enumerate(texts):
            for letter in text.lower():
                if "a" <= letter <= "z":
                    vectors[row, ord(letter) - 97] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def screening(text: str, *, crisis: bool = False) -> Screening:
    return Screening(
        text=text,
        redacted=text,
        entities=(),
        placeholders={},
        tone=Tone.CALM,
        scores={},
        injection=0.0,
        crisis=crisis,
        language=Language("en", 1.0),
    )
