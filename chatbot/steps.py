"""What a turn is asked, and the steps that it yields: the vocabulary of ``turn.py``."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field

from chatbot.safety.released import Draft, Released
from chatbot.types import Decision, HistoryMessage, Passage, Reason, Route, Screening, Sentence


@dataclass(frozen=True)
class TurnRequest:
    """What is asked. ``history`` is redacted; ``released`` are the sentences of this answer
    that the customer already has (a resumed turn), never changed."""

    question: str
    history: tuple[HistoryMessage, ...] = ()
    placeholders: Mapping[str, str] = field(default_factory=dict)
    released: tuple[Sentence, ...] = ()
    audiences: tuple[str, ...] = ("public",)
    locale: str | None = None
    """The customer's (BCP 47); articles of that language are preferred."""
    sampled: bool = False
    conversation: str = ""
    """Its id, by which an experiment chooses the model; '' always meets the serving one."""
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
    """The remainder waits for a person; what was released before stays as it is. ``draft``
    explains each sentence, the dropped ones too."""

    route: Route
    reasons: tuple[Reason, ...]
    draft: Draft
    first_held: int
    passages: tuple[Passage, ...]

    @property
    def remainder(self) -> str:
        """What leaves if a person approves."""
        kept = self.draft.kept(self.first_held)
        return "".join(s.separator + s.text for s in kept).strip()


@dataclass(frozen=True)
class Answered:
    """Everything was released; ``draft`` explains each sentence, the dropped ones too."""

    route: Route
    draft: Draft
    passages: tuple[Passage, ...]
    quoted: bool = False


Otherwise = Replied | HandedOver
"""What is said where no article answers."""
Step = Understood | SentenceReleased | Replied | HandedOver | Held | Answered
Steps = AsyncGenerator[Step, None]
