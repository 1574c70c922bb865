"""The vocabulary of a turn. Every stage of ``chatbot/turn.py`` speaks in these nouns.

text -> Screening -> Route -> Passage... -> Sentence... -> Decision -> Released | held draft
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from knowledge_base.passage import Passage

__all__ = [
    "Action",
    "Citation",
    "Decision",
    "Entity",
    "HistoryMessage",
    "Language",
    "Passage",
    "Prediction",
    "Reason",
    "ReasonCode",
    "Route",
    "Screening",
    "Sentence",
    "SentenceKind",
    "Side",
    "Tone",
    "Verdict",
]


class Side(StrEnum):
    """Whose words a score concerns; each side has its own thresholds."""

    CUSTOMER = "customer"
    BOT = "bot"


class SentenceKind(StrEnum):
    """What a sentence does. Only a claim needs support in a passage."""

    CLAIM = "claim"
    COURTESY = "courtesy"
    QUESTION = "question"
    ABSTENTION = "abstention"


class Verdict(StrEnum):
    """What the gate decides about a sentence or a whole answer."""

    RELEASE = "release"
    REPLACE = "replace"
    ABSTAIN = "abstain"
    HOLD = "hold"
    CRISIS = "crisis"


class ReasonCode(StrEnum):
    """Why a verdict is what it is. ``chatbot/safety/verdicts.py`` maps each to its verdict."""

    UNSUPPORTED_CLAIM = "unsupported_claim"
    BESIDE_THE_POINT = "beside_the_point"
    NOTHING_RETRIEVED = "nothing_retrieved"
    TOXIC = "toxic"
    TOXIC_REPLACED = "toxic_replaced"
    FORBIDDEN_PROMISE = "forbidden_promise"
    PII_LEAK = "pii_leak"
    PROMPT_LEAK = "prompt_leak"
    LINK_NOT_ALLOWED = "link_not_allowed"
    TOO_LONG = "too_long"
    INJECTION = "injection"
    ALWAYS_REVIEW = "always_review"
    SAMPLED = "sampled"
    LOW_CONFIDENCE = "low_confidence"
    CHECK_FAILED = "check_failed"
    CRISIS = "crisis"
    CONCERN = "concern"
    THREAT = "threat"
    ENGINE_FAILED = "engine_failed"


class Tone(StrEnum):
    """How the customer sounds. Anger is a tone, never a reason to block."""

    CALM = "calm"
    FRUSTRATED = "frustrated"
    ANGRY = "angry"
    ABUSIVE = "abusive"
    THREATENING = "threatening"


class Action(StrEnum):
    """What ``routes.toml`` may declare for an intent."""

    ANSWER = "answer"
    TEMPLATE = "template"
    ASK_SLOT = "ask_slot"
    HANDOVER = "handover"
    ALWAYS_REVIEW = "always_review"
    CLARIFY = "clarify"
    REFUSE = "refuse"
    CRISIS = "crisis"


@dataclass(frozen=True, slots=True)
class Reason:
    """One readable cause of a verdict: which rule, which words, which score against what."""

    code: ReasonCode
    detail: str
    """One sentence for the reviewer."""
    rule: str | None = None
    words: str | None = None
    score: float | None = None
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class Entity:
    """A span of the text as sent. ``start`` and ``end`` are character offsets, end exclusive."""

    label: str
    start: int
    end: int
    text: str
    value: str | None = None
    """Normalised value (ISO date, E.164 phone, minor units), None where there is none."""
    source: Literal["model", "pattern", "company"] = "pattern"
    score: float = 1.0
    personal: bool = False
    """A company's own value that tells who the customer is: it gets a placeholder as PII does."""

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the router's model says of one text, in one forward pass.

    ``intents`` is sorted by falling calibrated probability and covers every known intent.
    """

    intents: tuple[tuple[str, float], ...]
    out_of_scope: bool
    out_of_scope_score: float
    entities: tuple[Entity, ...] = ()

    @property
    def intent(self) -> str:
        return self.intents[0][0]

    @property
    def confidence(self) -> float:
        return self.intents[0][1]


@dataclass(frozen=True, slots=True)
class Language:
    """ISO 639-1 code of a text, or None where too short or mixed to say."""

    code: str | None
    confidence: float


@dataclass(frozen=True, slots=True)
class Screening:
    """What is known of a customer's text before anything is done with it.

    ``redacted`` is what retrieval, prompts, logs and exports see; ``placeholders`` restores
    its typed placeholders (``<ORDER_ID_1>``) for the same customer only.
    """

    text: str
    redacted: str
    entities: tuple[Entity, ...]
    placeholders: Mapping[str, str]
    tone: Tone
    scores: Mapping[str, float]
    """Toxicity category -> 0..1, customer side, worst over the normalised views."""
    injection: float
    crisis: bool
    language: Language
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """The declared policy's decision for one message."""

    intent: str
    confidence: float
    out_of_scope: bool
    action: Action
    why: str
    """One sentence for the reviewer and the test file."""
    template: str | None = None
    """Id of a static text in company.toml, for template, refuse, ask_slot and handover."""
    missing_slot: str | None = None
    urgent: bool = False
    alternatives: tuple[tuple[str, float], ...] = ()
    sure: bool = True
    """Whether the router was sure enough to act on: else a fixed reply is given only where no
    article answers."""
    out_of_scope_score: float = 0.0
    """From 0 to 1, ``out_of_scope`` from 0.5."""

    def as_json(self) -> dict[str, Any]:
        return {
            "intent": self.intent,
            "confidence": round(self.confidence, 4),
            "out_of_scope": self.out_of_scope,
            "action": self.action.value,
            "why": self.why,
            "template": self.template,
            "missing_slot": self.missing_slot,
            "urgent": self.urgent,
            "alternatives": [[name, round(score, 4)] for name, score in self.alternatives],
            "sure": self.sure,
            "out_of_scope_score": round(self.out_of_scope_score, 4),
        }


@dataclass(frozen=True, slots=True)
class HistoryMessage:
    """An earlier message, as the prompt and the rewriting of follow-ups see it (redacted)."""

    role: Literal["customer", "bot", "person"]
    text: str


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a claim comes from: a passage of an article version that exists."""

    number: int
    article: str
    version: str
    title: str
    anchor: str
    url: str
    quote: str

    @classmethod
    def of(cls, number: int, passage: Passage) -> Citation:
        """``number`` is the passage's 1-based place in the prompt."""
        return cls(
            number=number,
            article=passage.article,
            version=passage.version,
            title=passage.title,
            anchor=passage.anchor,
            url=passage.url,
            quote=passage.text,
        )

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Sentence:
    """A finished sentence of a draft. ``text`` has no citation marks; ``cited`` are the
    1-based passage numbers that the model named."""

    text: str
    kind: SentenceKind
    cited: tuple[int, ...] = ()
    separator: str = " "
    """White space that stood before it in the draft: a space, or a newline in a list."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The gate's word on a sentence or on the whole, with everything that explains it."""

    verdict: Verdict
    reasons: tuple[Reason, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    supported_by: tuple[int, ...] = ()
    """Passage numbers whose support was confirmed; citations are cut down to these."""
    text: str | None = None
    """What was judged, word for word: by this decision nothing else can be released."""
