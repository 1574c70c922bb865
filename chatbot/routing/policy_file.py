"""``routes.toml``: what a support lead declares, read strictly and with line numbers."""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from chatbot.errors import SetupError
from chatbot.routing.policy_tables import DECLARABLE, TABLES, IntentTable, RoutesFile
from chatbot.toml_lines import Lines, near
from chatbot.types import Action, Tone


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
    for name, slot in file.slots.items():
        for intent in slot.own_case:
            if intents is not None and intent not in intents:
                raise lines.error(
                    ["slots", name, "own_case"],
                    f"the router knows no intent {intent!r}{near(intent, intents)}",
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
        known = {name for model in TABLES for name in model.model_fields}
        return f"unknown key {key!r}{near(key, known)}"
    if error["type"] == "missing":
        return f"{key!r} is missing"
    if error["type"] == "enum":
        allowed = [a.value for a in (DECLARABLE if key == "action" else Tone)]
        return f"{key} {error['input']!r} is not one of {', '.join(allowed)}" + near(
            str(error["input"]), allowed
        )
    return f"{key}: {error['msg'].removeprefix('Value error, ')} (got {error['input']!r})"
