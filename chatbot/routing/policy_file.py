"""``routes.toml``: what a support lead declares, read strictly and with line numbers."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from chatbot.errors import SetupError
from chatbot.toml_lines import Lines, near
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


@dataclass(frozen=True, slots=True)
class DeclaredRoute:
    """What the file says of one intent. ``line`` is where its table begins."""

    intent: str
    action: Action
    label: str
    """How a clarifying question names it: "Do you mean LABEL or LABEL?"."""
    template: str | None
    slot: str | None
    urgent: bool
    line: int | None


class ConfidenceTable(BaseModel):
    model_config = _STRICT

    act: float | Literal["model"] = "model"
    clarify: float | Literal["model"] = "model"
    below: Literal["answer", "handover"] = "handover"


class GeneralTable(BaseModel):
    """Forms of a question about rules in general rather than about one's own case."""

    model_config = _STRICT

    patterns: tuple[str, ...] = ()

    @field_validator("patterns")
    @classmethod
    def _compile(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
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


@dataclass(frozen=True, slots=True)
class Routes:
    """A validated file and the lines of its intents."""

    file: RoutesFile
    declared: dict[str, DeclaredRoute]

    def route(self, intent: str) -> DeclaredRoute:
        """The declared route, or the default table's for an intent that the file leaves out."""
        found = self.declared.get(intent)
        return found or _declare(intent, self.file.default, None)


def read_routes(
    path: Path,
    *,
    intents: Collection[str] | None = None,
    templates: Collection[str] | None = None,
) -> Routes:
    """Raises SetupError with ``path:line:``, the reason and, where one is near, a hint.

    ``intents`` are the router's, ``templates`` the ids of company.toml's texts; None leaves
    them unchecked.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SetupError(f"{path}: no such file; `python -m chatbot init` writes one") from None
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SetupError(f"{path}: {error}") from None
    lines = Lines(path, text)
    try:
        file = RoutesFile.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        raise lines.error([str(p) for p in first["loc"]], _reason(dict(first))) from None
    _check_names(file, lines, intents, templates)
    declared = {
        name: _declare(name, table, lines.of(["intents", name]))
        for name, table in file.intents.items()
    }
    return Routes(file, declared)


def _declare(intent: str, table: IntentTable, line: int | None) -> DeclaredRoute:
    label = table.label or intent.replace("_", " ")
    return DeclaredRoute(
        intent, table.action, label, table.template, table.slot, table.urgent, line
    )


def _check_names(
    file: RoutesFile,
    lines: Lines,
    intents: Collection[str] | None,
    templates: Collection[str] | None,
) -> None:
    for name, table in file.intents.items():
        if intents is not None and name not in intents:
            raise lines.error(
                ["intents", name], f"the router knows no intent {name!r}{near(name, intents)}"
            )
        if table.slot is not None and table.slot not in file.slots:
            raise lines.error(
                ["intents", name, "slot"],
                f"slot {table.slot!r} has no [slots.{table.slot}]{near(table.slot, file.slots)}",
            )
    used: list[tuple[list[str], str | None]] = [
        (["handover", "template"], file.handover.template),
        (["handover", "closed_template"], file.handover.closed_template),
        (["language", "template"], file.language.template),
        (["out_of_scope", "template"], file.out_of_scope.template),
        *((["slots", n, "ask"], s.ask) for n, s in file.slots.items()),
        *((["intents", n, "template"], t.template) for n, t in file.intents.items()),
    ]
    for place, template in used:
        if templates is not None and template is not None and template not in templates:
            raise lines.error(
                place, f"company.toml has no text {template!r}{near(template, templates)}"
            )


def _reason(error: dict[str, Any]) -> str:
    key = str(error["loc"][-1])
    if error["type"] == "extra_forbidden":
        known = {name for model in _MODELS for name in model.model_fields}
        return f"unknown key {key!r}{near(key, known)}"
    if error["type"] == "missing":
        return f"{key!r} is missing"
    if error["type"] == "enum":
        allowed = [a.value for a in (DECLARABLE if key == "action" else Tone)]
        return f"{key} {error['input']!r} is not one of {', '.join(allowed)}" + near(
            str(error["input"]), allowed
        )
    return f"{key}: {error['msg'].removeprefix('Value error, ')} (got {error['input']!r})"


_MODELS = (
    RoutesFile,
    ConfidenceTable,
    HandoverTable,
    LanguageTable,
    ScopeTable,
    SlotTable,
    IntentTable,
)
