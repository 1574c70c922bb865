"""The declared policy in force: ``routes.toml``, re-read when it changes."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from pathlib import Path
from threading import Lock

from chatbot.errors import SetupError
from chatbot.routing.artifact import Bands
from chatbot.routing.decision import Decision, Turn
from chatbot.routing.policy_file import Routes, read_routes
from chatbot.types import HistoryMessage, Prediction, Route, Screening

log = logging.getLogger(__name__)

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
        self._path, self._bands = path, bands
        self._intents, self._templates = intents, templates
        self._lock = Lock()
        self._seen = self._stamp()
        self._routes = read_routes(path, intents=intents, templates=templates)
        self._problem: str | None = None

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
        self._current()
        return self._problem

    def label(self, intent: str) -> str:
        """How a clarifying question names an intent."""
        return self._current().route(intent).label

    def decide(
        self,
        screening: Screening,
        prediction: Prediction,
        history: Sequence[HistoryMessage],
        *,
        company_language: str,
    ) -> Route:
        """The route of one message. ``history`` is what came before it, oldest first."""
        turn = Turn(screening, prediction, history, company_language)
        return Decision(self._current(), self._bands, turn).route()

    def _stamp(self) -> tuple[int, int] | None:
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return None
        return stat.st_mtime_ns, stat.st_size

    def _current(self) -> Routes:
        stamp = self._stamp()
        with self._lock:
            if stamp != self._seen:
                self._seen = stamp
                try:
                    self._routes = read_routes(
                        self._path, intents=self._intents, templates=self._templates
                    )
                    self._problem = None
                    log.info("routes re-read from %s", self._path)
                except SetupError as error:
                    self._problem = error.detail
                    log.error("routes not changed: %s", error.detail)
            return self._routes
