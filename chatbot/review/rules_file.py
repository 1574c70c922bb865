"""What ``review.toml`` may say, read strictly: every fault names its line and its remedy."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from chatbot.errors import SetupError
from chatbot.toml_lines import Lines, near

_STRICT: Final = ConfigDict(extra="forbid", frozen=True)
Seconds = Annotated[float, Field(gt=0, le=30 * 86_400)]


class AlwaysReview(BaseModel):
    """What a person reads first although no check objects."""

    model_config = _STRICT

    intents: tuple[str, ...] = ()
    below_confidence: float = Field(default=0.0, ge=0, le=1)
    share: float = Field(default=0.0, ge=0, le=1)


class Targets(BaseModel):
    model_config = _STRICT

    answer_within_s: Seconds | None = None
    """What the customer is promised; None: CHATBOT_REVIEW_TARGET_S."""
    urgent_within_s: Seconds = 60.0


class LateStep(BaseModel):
    """What happens when an item has waited ``after_s`` seconds."""

    model_config = _STRICT

    after_s: Seconds
    do: Literal["escalate", "holding_reply", "contact_form", "hand_over"]
    text: str | None = None
    """Id of a text in company.toml, for ``holding_reply``."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.do == "holding_reply") != (self.text is not None):
            raise ValueError('text = "id of a text" and do = "holding_reply" belong together')
        return self


class Team(BaseModel):
    model_config = _STRICT

    intents: tuple[str, ...] = Field(min_length=1)
    members: tuple[str, ...] = ()
    """Names of keys or of people who sign in; empty: everybody."""


class Learning(BaseModel):
    model_config = _STRICT

    consent: Literal["unless_refused", "only_if_given", "never"] = "unless_refused"


class RulesFile(BaseModel):
    """The whole file."""

    model_config = _STRICT

    version: Literal[1] = 1
    always_review: AlwaysReview = AlwaysReview()
    targets: Targets = Targets()
    late: tuple[LateStep, ...] | None = None
    """None: escalate and show the contact form after CHATBOT_REVIEW_LIMIT_S."""
    teams: dict[Annotated[str, Field(max_length=40)], Team] = {}
    priorities: dict[str, Annotated[int, Field(ge=-100, le=100)]] = {}
    """Intent -> priority; higher is taken first, 0 is everybody else."""
    learning: Learning = Learning()

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        steps = self.late or ()
        for before, after in pairwise(steps):
            if after.after_s < before.after_s:
                raise ValueError(
                    f"[[late]] steps must follow in time: {after.after_s:g} s stands after "
                    f"{before.after_s:g} s"
                )
            if before.do == "hand_over":
                raise ValueError("[[late]] hand_over ends the wait; it must be the last step")
        owners: dict[str, str] = {}
        for name, team in self.teams.items():
            for intent in team.intents:
                if owners.setdefault(intent, name) != name:
                    raise ValueError(f"intent {intent!r} is in two teams: {owners[intent]}, {name}")
        return self


def read_rules_file(path: Path, texts: Mapping[str, str]) -> RulesFile:
    """Raises SetupError with ``path:line:`` and the reason. ``texts`` are company.toml's."""
    try:
        text = path.read_text(encoding="utf-8")
        values: dict[str, Any] = tomllib.loads(text)
    except OSError as error:
        raise SetupError(f"{path} cannot be read: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SetupError(f"{path}: {error}") from None
    lines = Lines(path, text)
    try:
        file = RulesFile.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise lines.fault(first["loc"], _reason(dict(first))) from None
    for number, step in enumerate(file.late or ()):
        if step.text is not None and step.text not in texts:
            reason = f"company.toml has no text {step.text!r}{near(step.text, texts)}"
            raise lines.fault(("late", number, "text"), reason)
    return file


def _reason(error: dict[str, Any]) -> str:
    key = ".".join(str(part) for part in error["loc"])
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        models = (RulesFile, AlwaysReview, Targets, LateStep, Team, Learning)
        known = {name for model in models for name in model.model_fields}
        return f"unknown key {key!r}{near(str(error['loc'][-1]), known)}"
    shown = error["input"] if isinstance(error["input"], str | int | float) else None
    return (
        f"{key}: {message}" + ("" if shown is None else f" (it is {shown!r})") if key else message
    )
