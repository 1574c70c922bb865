"""The declared policy in force: ``routes.toml``, re-read when it changes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from chatbot.routing.artifact import Bands
from chatbot.routing.decision import Decision
from chatbot.routing.evidence import Turn
from chatbot.routing.hours import Closed
from chatbot.routing.policy_file import Routes, read_routes
from chatbot.types import Action, HistoryMessage, Prediction, Route, Screening
from chatbot.watched_file import Watched

DEFAULT_BANDS = Bands(act=0.6, clarify=0.3)  # for a router whose calibration is not at hand


class RoutePolicy:
    """``decide`` is thread-safe and re-reads the file when it has changed.

    A change with a mistake keeps the routes that were in force; ``problem`` then says what is
    wrong, with the line, until the file is right again.
    """

    def __init__(
        self,
        path: Path,
        *,
        bands: Bands = DEFAULT_BANDS,
        intents: Collection[str] | None = None,
        templates: Collection[str] | None = None,
    ) -> None:
        """Raises SetupError when the file cannot be used at the start."""
        self._bands = bands

        def read(file: Path) -> Routes:
            return read_routes(file, intents=intents, templates=templates)

        self._file = Watched(path, read)

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        bands: Bands = DEFAULT_BANDS,
        intents: Collection[str] | None = None,
        templates: Collection[str] | None = None,
    ) -> RoutePolicy:
        """``bands`` come from the router's calibration (``RouterModel.bands``); ``intents`` and
        ``templates`` are checked against when given."""
        return cls(path, bands=bands, intents=intents, templates=templates)

    @property
    def problem(self) -> str | None:
        """Why the last change of the file is not in force; None when it is."""
        return self._file.problem

    def label(self, intent: str) -> str:
        """How a clarifying question names an intent."""
        return self._file.current.route(intent).label

    def intents_to(self, action: Action) -> tuple[str, ...]:
        """Intents that the file declares for this action."""
        declared = self._file.current.declared.values()
        return tuple(route.intent for route in declared if route.action is action)

    def read_together(self, alone: Prediction, with_before: Sequence[Prediction]) -> Prediction:
        """What a follow-up means: by itself where that is clear, else as it reads with the turn
        before it, unless that turn asked for a person, who was called then."""
        best = alone
        for other in with_before:
            clearer = best.confidence < self._bands.act and other.confidence > best.confidence
            if clearer and other.intent not in self.intents_to(Action.HANDOVER):
                best = replace(other, entities=alone.entities)
        return best

    def decide(
        self,
        screening: Screening,
        prediction: Prediction,
        history: Sequence[HistoryMessage],
        *,
        company_language: str,
        remembered: Collection[str] = (),
        closed: Closed | None = None,
    ) -> Route:
        """The route of one message.

        ``history`` is what came before it, oldest first; ``remembered`` are labels of the
        company's own entities in it; ``closed`` says that the company is, and until when.
        """
        turn = Turn(screening, prediction, history, company_language, remembered, closed)
        return Decision(self._file.current, self._bands, turn).route()
