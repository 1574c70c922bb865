"""What ``policy.toml`` may say, read strictly: every fault names its key and its remedy."""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from chatbot.company_regex import CompanyRegex, compiled
from chatbot.errors import SetupError
from chatbot.safety.calibration import Calibration
from chatbot.safety.toxicity import CATEGORIES
from chatbot.safety.views import clean
from chatbot.types import Side, Verdict

_STRICT: Final = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))
MAX_PATTERN: Final = 600  # characters; a longer rule is not readable any more


class CategoryRule(BaseModel):
    """What one toxicity category does on one side. ``hold``: a person. ``replace``: the bot's
    sentence is left out, the customer's message gets the refusal text."""

    model_config = _STRICT

    action: Literal["release", "hold", "replace"]
    threshold: float | None = Field(default=None, gt=0, le=1)
    why: str = ""

    @model_validator(mode="after")
    def _explained(self) -> Self:
        if self.threshold is not None and not self.why.strip():
            raise ValueError("a threshold of your own needs a 'why' beside it")
        return self


class ForbiddenRule(BaseModel):
    """A promise that the bot may not make, with the sentences that prove the rule.

    ``patterns`` are regular expressions over lower-case text; a match whose sentence also
    matches one of ``unless`` is let through.
    """

    model_config = _STRICT

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{2,40}$")
    why: str = Field(min_length=8)
    patterns: tuple[str, ...] = Field(min_length=1)
    unless: tuple[str, ...] = ()
    holds: tuple[str, ...] = Field(min_length=1)
    passes: tuple[str, ...] = Field(min_length=1)

    @field_validator("patterns", "unless")
    @classmethod
    def _safe(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            _check_pattern(pattern)
        return patterns

    @model_validator(mode="after")
    def _proven(self) -> Self:
        for sentence in self.holds:
            if self.match(sentence) is None:
                raise ValueError(f"it does not catch its own example {sentence!r}")
        for sentence in self.passes:
            words = self.match(sentence)
            if words is not None:
                raise ValueError(f"it catches {words!r} in {sentence!r}, which should pass")
        return self

    @cached_property
    def _compiled(self) -> tuple[tuple[CompanyRegex, ...], tuple[CompanyRegex, ...]]:
        return tuple(map(compiled, self.patterns)), tuple(map(compiled, self.unless))

    def match(self, text: str) -> str | None:
        """The words that the rule objects to, or None. Sentences are judged one by one.

        Raises PatternTooSlow where a pattern is given up."""
        patterns, unless = self._compiled
        for sentence in _sentences(text):
            for pattern in patterns:
                found = pattern.search(sentence)
                if found and not any(guard.search(sentence) for guard in unless):
                    return str(found[0]).strip()
        return None


class PolicyCase(BaseModel):
    """A text and what must become of it, run by ``python -m chatbot policy test``."""

    model_config = _STRICT

    text: str = Field(min_length=1)
    verdict: Verdict
    side: Side = Side.BOT
    rule: str = ""
    """Part of the name of the rule that must object; '' for any."""
    intent: str = ""
    disclaimer: str = ""
    """The text that must stand under an answer of ``intent``."""


class PolicyRules(BaseModel):
    """One reading of the file. Frozen: a turn that has begun keeps the rules it began with."""

    model_config = _STRICT

    max_words: int = Field(default=180, ge=20, le=2000)
    review_sample_rate: float = Field(default=0.0, ge=0, le=1)
    order_ids: tuple[str, ...] = ()
    allowed_domains: tuple[str, ...] = ()
    customer: dict[str, CategoryRule] = Field(default_factory=dict)
    bot: dict[str, CategoryRule] = Field(default_factory=dict)
    forbidden: tuple[ForbiddenRule, ...] = ()
    disclaimers: dict[str, str] = Field(default_factory=dict)
    crisis: tuple[ForbiddenRule, ...] = ()
    """Wordings of a customer in danger, beside those that are built in."""
    tests: tuple[PolicyCase, ...] = ()

    @field_validator("customer", "bot")
    @classmethod
    def _known_categories(cls, rules: dict[str, CategoryRule]) -> dict[str, CategoryRule]:
        for category in rules:
            if category not in CATEGORIES:
                raise ValueError(
                    f"{category!r} is no category; the model knows {', '.join(CATEGORIES)}"
                )
        return rules

    @field_validator("order_ids")
    @classmethod
    def _order_patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            _check_pattern(pattern)
            if compiled(pattern, ignore_case=True).search(""):
                raise ValueError(f"{pattern!r} matches an empty text; name at least one digit")
        return patterns

    @field_validator("allowed_domains")
    @classmethod
    def _domains(cls, domains: tuple[str, ...]) -> tuple[str, ...]:
        for domain in domains:
            if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", domain):
                raise ValueError(f"{domain!r} is no domain; write it as shop.example, no https://")
        return domains

    @model_validator(mode="after")
    def _unique(self) -> Self:
        names = [rule.name for rule in (*self.forbidden, *self.crisis)]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two rules are called {name!r}; rename one")
        return self

    def calibrated(self, calibration: Calibration) -> Calibration:
        """The calibration file's thresholds with this policy's releases and overrides."""
        sides: dict[Side, dict[str, float]] = {}
        replaced: dict[Side, frozenset[str]] = {}
        for side, rules in ((Side.CUSTOMER, self.customer), (Side.BOT, self.bot)):
            thresholds = dict(calibration.thresholds[side])
            for category, rule in rules.items():
                if rule.action == "release":
                    thresholds.pop(category, None)
                elif rule.threshold is not None:
                    thresholds[category] = rule.threshold
            sides[side] = thresholds
            replaced[side] = frozenset(c for c, rule in rules.items() if rule.action == "replace")
        return replace(calibration, thresholds=sides, replaced=replaced)


def read_rules(path: Path) -> PolicyRules:
    """Raises SetupError naming file, key, value and remedy."""
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SetupError(f"{path} cannot be read: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SetupError(f"{path} is no TOML: {error}") from None
    try:
        return PolicyRules.model_validate(values)
    except ValidationError as error:
        raise SetupError(f"{path}: {_explain(error, values)}") from None


def _explain(error: ValidationError, values: dict[str, Any]) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    table = first["loc"][0] if first["loc"] else ""
    if table in {"forbidden", "crisis"} and len(first["loc"]) > 1:
        rule = values[str(table)][first["loc"][1]]
        name = rule.get("name", first["loc"][1]) if isinstance(rule, dict) else first["loc"][1]
        key = f"{table} rule {name!r}" + (f", {first['loc'][2]}" if len(first["loc"]) > 2 else "")
    if first["type"] == "extra_forbidden":
        models = (PolicyRules, CategoryRule, ForbiddenRule, PolicyCase)
        known = [name for model in models for name in model.model_fields]
        near = difflib.get_close_matches(str(first["loc"][-1]), known, n=1)
        return f"{key} is no key" + (f"; did you mean {near[0]}?" if near else "")
    message = first["msg"].removeprefix("Value error, ")
    shown = first["input"] if isinstance(first["input"], str | int | float) else None
    return f"{key}: {message}" + ("" if shown is None else f" (it is {shown!r})")


def _check_pattern(pattern: str) -> None:
    if len(pattern) > MAX_PATTERN:
        raise ValueError(f"a pattern of {len(pattern)} characters is too long; split the rule")
    compiled(pattern).probe()


def plain(text: str) -> str:
    """What rules read: no disguise, straight quotes, one case, single blanks."""
    text = clean(text).replace("\u2019", "'").replace("\u2018", "'")
    return re.sub(r"\s+", " ", text).lower()


@lru_cache(maxsize=256)  # every rule reads the same text
def _sentences(text: str) -> tuple[str, ...]:
    """Cut roughly at sentence ends: a guard must not excuse a promise in another sentence."""
    return tuple(part for part in re.split(r"(?<=[.!?;])\s", plain(text)) if part)
