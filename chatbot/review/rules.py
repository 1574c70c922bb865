"""``review.toml`` as it is now: read again when the file changes, the old one kept if it broke."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from chatbot.errors import SetupError
from chatbot.review.rules_file import LateStep, RulesFile, read_rules_file
from chatbot.settings import Settings
from chatbot.types import Reason, ReasonCode, Route

log = logging.getLogger(__name__)

LOOK_AGAIN_S: Final = 1.0  # a file system call at most this often, not at every turn


class ReviewRules:
    """What the lead set. Safe to use from several threads."""

    def __init__(
        self, settings: Settings, texts: Mapping[str, str], path: Path | None = None
    ) -> None:
        self.problem: str | None = None
        """What is wrong with the file's newest edit; None while file and rules agree."""
        self._settings, self._texts, self._path = settings, texts, path
        self._stamp = _stamp(path)
        self._file = RulesFile() if self._stamp is None or path is None else self._read(path)
        self._looked = time.monotonic()
        self._lock = threading.Lock()

    def _read(self, path: Path) -> RulesFile:
        return read_rules_file(path, self._texts)

    @property
    def file(self) -> RulesFile:
        """Of the newest edit that could be read; the defaults where there is no file."""
        now = time.monotonic()
        if self._path is not None and now - self._looked >= LOOK_AGAIN_S:
            with self._lock:
                self._looked = now
                self._look_again(self._path)
        return self._file

    def _look_again(self, path: Path) -> None:
        stamp = _stamp(path)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._file = RulesFile() if stamp is None else self._read(path)
        except SetupError as error:
            self.problem = f"{error.detail} (the rules before this edit are still in force)"
            log.error("review.toml was not reloaded: %s", error.detail)
        else:
            self.problem = None
            log.info("review.toml was reloaded")

    # What is reviewed

    def reasons(self, route: Route) -> tuple[Reason, ...]:
        """Why a person reads this answer first although no check objects; () if nobody must."""
        rules, found = self.file.always_review, []
        if route.intent in rules.intents:
            found.append(
                Reason(
                    ReasonCode.ALWAYS_REVIEW,
                    f"The lead wants every {route.intent!r} answer to be read first.",
                    rule="review.toml: always_review.intents",
                )
            )
        if route.confidence < rules.below_confidence:
            found.append(
                Reason(
                    ReasonCode.LOW_CONFIDENCE,
                    f"The intent {route.intent!r} is only {route.confidence:.0%} sure.",
                    rule="review.toml: always_review.below_confidence",
                    score=route.confidence,
                    threshold=rules.below_confidence,
                )
            )
        return tuple(found)

    @property
    def share(self) -> float:
        """Share of answers that are read although nothing is wrong with them."""
        return self.file.always_review.share

    # The queue

    def target_s(self, urgent: bool) -> float:
        """Within how many seconds an answer is promised."""
        targets = self.file.targets
        usual = targets.answer_within_s or self._settings.review_target_s
        return min(usual, targets.urgent_within_s) if urgent else usual

    @property
    def late(self) -> tuple[LateStep, ...]:
        """What is done for an item that waits too long, in this order."""
        if self.file.late is not None:
            return self.file.late
        limit = self._settings.review_limit_s
        return (
            LateStep(after_s=limit, do="escalate"),
            LateStep(after_s=limit, do="contact_form"),
        )

    def team_of(self, intent: str) -> str:
        """The team whose skill an intent needs; '' where none is named."""
        teams = self.file.teams.items()
        return next((name for name, team in teams if intent in team.intents), "")

    def priority_of(self, intent: str) -> int:
        return self.file.priorities.get(intent, 0)

    def teams_of(self, staff_name: str) -> tuple[str, ...]:
        """Teams whose items this person takes, '' (everybody's) among them."""
        teams = self.file.teams.items()
        own = [name for name, team in teams if not team.members or staff_name in team.members]
        return ("", *own)


def _stamp(path: Path | None) -> tuple[int, int] | None:
    """Modification time and size; None where there is no file."""
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
