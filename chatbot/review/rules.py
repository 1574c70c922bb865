"""``review.toml`` in force, and what follows from it for an answer, an item and a person."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from chatbot.review.rules_file import LateStep, RulesFile, read_rules_file
from chatbot.settings import Settings
from chatbot.types import Reason, ReasonCode, Route
from chatbot.watched_file import Watched


class ReviewRules:
    """What the lead set. Safe to use from several threads; an edit is in force at once."""

    def __init__(
        self, settings: Settings, texts: Mapping[str, str], path: Path | None = None
    ) -> None:
        """Raises SetupError for a file that cannot be used; without one the defaults hold."""
        self._settings = settings

        def read(file: Path) -> RulesFile:
            return read_rules_file(file, texts) if file.exists() else RulesFile()

        self._watched = None if path is None else Watched(path, read)

    @property
    def file(self) -> RulesFile:
        """Of the newest edit that could be read; the defaults where there is no file."""
        return RulesFile() if self._watched is None else self._watched.current

    @property
    def problem(self) -> str | None:
        """What is wrong with the file's newest edit; None while file and rules agree."""
        return None if self._watched is None else self._watched.problem

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
