"""The declared policy in force: ``routes.toml``, re-read when it changes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from chatbot.routing.artifact import Bands
from chatbot.routing.decision import Decision, Turn
from chatbot.routing.hours import Closed
from chatbot.routing.policy_file import Routes, read_routes
from chatbot.routing.watched import Watched
from chatbot.types import HistoryMessage, Prediction, Route, Screening

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
