"""The tables of ``routes.toml``, each with what it may hold."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from chatbot.company_regex import compiled
from chatbot.types import Action, Tone

DECLARABLE = (
    Action.ANSWER,
    Action.TEMPLATE,
    Action.ASK_SLOT,
    Action.HANDOVER,
    Action.ALWAYS_REVIEW,
    Action.REFUSE,
)
_STRICT = ConfigDict(extra="forbid", frozen=True)


class ConfidenceTable(BaseModel):
    model_config = _STRICT

    act: float | Literal["model"] = "model"
    clarify: float | Literal["model"] = "model"
    below: Literal["answer", "handover"] = "handover"


class GeneralTable(BaseModel):
    """Regular expressions that tell a question which articles may answer from a request to look
    at one's own case. ``patterns`` ask for a rule, whatever else stands there; ``own`` ask for
    something to be done or looked up; ``questions`` are any other question."""

    model_config = _STRICT

    patterns: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()

    @field_validator("patterns", "own", "questions")
    @classmethod
    def _compile(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            compiled(pattern).probe()
        return value


class HandoverTable(BaseModel):
    model_config = _STRICT

    keywords: tuple[str, ...] = ()
    after_failures: int = Field(default=2, ge=1)
    failure_phrases: tuple[str, ...] = ()
    tones: tuple[Tone, ...] = (Tone.ANGRY, Tone.THREATENING)
    urgent_tones: tuple[Tone, ...] = (Tone.THREATENING,)
    template: str = "handover_notice"
    closed_template: str | None = None
    """Said instead outside company.toml's opening hours."""


class LanguageTable(BaseModel):
    model_config = _STRICT

    template: str = "other_language"


class ScopeTable(BaseModel):
    model_config = _STRICT

    refuse_from: float = Field(default=0.8, ge=0.5, le=1)
    template: str = "refuse"


class SlotTable(BaseModel):
    model_config = _STRICT

    labels: tuple[str, ...] = Field(min_length=1)
    ask: str
    asked_phrase: str
    """Words of the asking text, by which the bot's own question is found in the history."""
    then: Literal["handover", "answer", "always_review"] = "handover"
    own_case: tuple[str, ...] = ()
    """Intents answered from articles, but not where this slot's value stands in the message."""


class IntentTable(BaseModel):
    model_config = _STRICT

    action: Action
    label: str = ""
    template: str | None = None
    slot: str | None = None
    urgent: bool = False

    @model_validator(mode="after")
    def _complete(self) -> IntentTable:
        if self.action not in DECLARABLE:
            raise ValueError(
                f"action {self.action.value!r} is decided by the program; "
                f"choose {', '.join(DECLARABLE)}"
            )
        if self.action in (Action.TEMPLATE, Action.REFUSE) and self.template is None:
            raise ValueError(f'action {self.action.value!r} needs: template = "id of a text"')
        if (self.action is Action.ASK_SLOT) != (self.slot is not None):
            raise ValueError('slot and action = "ask_slot" belong together')
        return self


class RoutesFile(BaseModel):
    """The whole file."""

    model_config = _STRICT

    version: Literal[1]
    confidence: ConfidenceTable = ConfidenceTable()
    handover: HandoverTable = HandoverTable()
    language: LanguageTable = LanguageTable()
    out_of_scope: ScopeTable = ScopeTable()
    slots: dict[str, SlotTable] = {}
    general: GeneralTable = GeneralTable()
    default: IntentTable = IntentTable(action=Action.ANSWER)
    intents: dict[str, IntentTable]


TABLES = (
    RoutesFile,
    ConfidenceTable,
    HandoverTable,
    LanguageTable,
    ScopeTable,
    SlotTable,
    GeneralTable,
    IntentTable,
)
