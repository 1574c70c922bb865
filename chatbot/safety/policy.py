"""``policy.toml`` as it is now: read again when the file changes, the old one kept if it broke."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from chatbot.errors import SetupError
from chatbot.safety.calibration import Calibration
from chatbot.safety.policy_rules import ForbiddenRule, PolicyRules, read_rules

log = logging.getLogger(__name__)

LOOK_AGAIN_S = 1.0  # a file system call at most this often, not at every sentence


class Policy:
    """The live policy. Safe to use from several threads."""

    def __init__(self, path: Path | None, rules: PolicyRules) -> None:
        self.problem: str | None = None
        """What is wrong with the file's newest edit; None while file and rules agree."""
        self._path = path
        self._rules = rules
        self._stamp = _stamp(path)
        self._looked = time.monotonic()
        self._lock = threading.Lock()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises SetupError naming key, value and remedy when the file cannot be used."""
        return cls(path, read_rules(path))

    @property
    def rules(self) -> PolicyRules:
        """Of the newest edit that could be read."""
        now = time.monotonic()
        if self._path is not None and now - self._looked >= LOOK_AGAIN_S:
            with self._lock:
                self._looked = now
                self._read_again(self._path)
        return self._rules

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

    def _read_again(self, path: Path) -> None:
        stamp = _stamp(path)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._rules = read_rules(path)
        except SetupError as error:
            self.problem = f"{error.detail} (the rules before this edit are still in force)"
            log.error("the policy was not reloaded: %s", error.detail)
        else:
            self.problem = None
            log.info("the policy was reloaded from %s", path.name)


def _stamp(path: Path | None) -> tuple[int, int] | None:
    """Modification time and size; None for a file that is gone."""
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
