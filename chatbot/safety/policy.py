"""``policy.toml`` in force: what the checks may say, hold and release."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from chatbot.safety.calibration import Calibration
from chatbot.safety.policy_rules import ForbiddenRule, PolicyRules, read_rules
from chatbot.watched_file import Watched


class Policy:
    """The live policy. Safe to use from several threads; an edit is in force at once."""

    def __init__(self, file: Watched[PolicyRules]) -> None:
        self._file = file

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises SetupError naming key, value and remedy when the file cannot be used."""
        return cls(Watched(path, read_rules))

    @property
    def rules(self) -> PolicyRules:
        """Of the newest edit that could be read."""
        return self._file.current

    @property
    def problem(self) -> str | None:
        """What is wrong with the file's newest edit; None while file and rules agree."""
        return self._file.problem

    @property
    def order_ids(self) -> tuple[str, ...]:
        return self.rules.order_ids

    @property
    def max_words(self) -> int:
        return self.rules.max_words

    @property
    def review_sample_rate(self) -> float:
        return self.rules.review_sample_rate

    @property
    def forbidden(self) -> tuple[ForbiddenRule, ...]:
        return self.rules.forbidden

    @property
    def disclaimers(self) -> Mapping[str, str]:
        """Intent -> a text that must stand under every answer of it."""
        return self.rules.disclaimers

    def domains(self, company: tuple[str, ...]) -> tuple[str, ...]:
        """The policy's allowed link domains, or the company's where it names none."""
        return self.rules.allowed_domains or company

    def calibrated(self, calibration: Calibration) -> Calibration:
        return self.rules.calibrated(calibration)
