"""The engine of a running server: it follows the alias ``serving`` without a restart.

A promoted adapter is loaded beside the old one; from one request to the next the new one
answers, and the old one goes when it has finished what it had begun. If the new one cannot be
loaded, the old one stays and the reason is shown.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from pathlib import Path
from typing import Any

from chatbot.answering.choice import Chosen, choose_engine
from chatbot.answering.engine import GenerationRequest
from chatbot.answering.served import resolve_adapter
from chatbot.settings import Settings
from knowledge_base.mapped import give_back_memory

logger = logging.getLogger(__name__)

POLL_S = 1.0


class LiveEngine:
    """Forwards to the engine of the moment.

    ``current`` says which adapter should serve (None: the bare base), ``load`` builds its
    engine; both may raise SetupError. Without ``current`` nothing is watched.
    """

    def __init__(
        self,
        load: Callable[[], Chosen],
        current: Callable[[], Path | None] | None = None,
        poll_s: float = POLL_S,
    ) -> None:
        self._load = load
        self._current = current
        self._poll_s = poll_s
        self._adapter = current() if current is not None else None
        self._chosen = load()
        self._trouble: str | None = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="engine-watch", daemon=True)
        if current is not None:
            self._thread.start()

    @classmethod
    def from_settings(cls, settings: Settings) -> LiveEngine:
        """Raises SetupError. Takes seconds (a minute on the first start)."""
        watched = settings.engine != "openai" and settings.answer_adapter == "default"
        return cls(
            lambda: choose_engine(settings),
            (lambda: resolve_adapter(settings)) if watched else None,
        )

    @property
    def name(self) -> str:
        return self._chosen.engine.name

    @property
    def model_version(self) -> str:
        return self._chosen.engine.model_version

    @property
    def open(self) -> int:
        return self._chosen.engine.open

    @property
    def max_waiting(self) -> int:
        return self._chosen.engine.max_waiting

    @property
    def reason(self) -> str:
        """Why this engine and no other."""
        return self._chosen.reason

    @property
    def broken(self) -> str | None:
        """Why no answer can be written right now."""
        broken: str | None = getattr(self._chosen.engine, "broken", None)
        return broken

    @property
    def problem(self) -> str | None:
        """What an operator should know although answers are written."""
        return self._trouble or (self._chosen.reason if self._chosen.fallback else None)

    def ensure_room(self) -> None:
        self._chosen.engine.ensure_room()

    def stream(self, request: GenerationRequest) -> AsyncGenerator[str, None]:
        with self._lock:  # an engine that is about to go must not get a last request
            return self._chosen.engine.stream(request)

    def doubt(self, request: GenerationRequest) -> Coroutine[Any, Any, float | None]:
        with self._lock:
            return self._chosen.engine.doubt(request)

    async def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join)
        await self._chosen.engine.close()

    def _watch(self) -> None:
        assert self._current is not None  # noqa: S101  else the thread is not started
        failed: Path | None = None
        while not self._stop.wait(self._poll_s):
            try:
                wanted = self._current()
                if wanted == self._adapter:
                    failed = self._trouble = None
                elif wanted != failed or self._trouble is None:
                    failed = wanted
                    self._replace(wanted)
            except Exception as error:  # noqa: BLE001 - a watch that ends would follow nothing more
                trouble = f"the promoted answer model cannot be served: {error}"
                if trouble != self._trouble:
                    logger.error("%s; %s goes on", trouble, self.model_version)
                self._trouble = trouble

    def _replace(self, wanted: Path | None) -> None:
        started = time.monotonic()
        new = self._load()
        with self._lock:
            old, self._chosen, self._adapter = self._chosen.engine, new, wanted
        self._trouble = None
        logger.info("%s serves after %.1f s", self.model_version, time.monotonic() - started)
        while old.open and not self._stop.is_set():
            time.sleep(0.05)
        asyncio.run(old.close())
        del old
        gc.collect()
        give_back_memory()
