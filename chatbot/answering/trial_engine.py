"""The engine of a running server with a candidate beside it: shadow and A/B.

It follows ``experiment.json`` as ``LiveEngine`` follows the alias ``serving``: no restart. A
candidate that cannot be loaded, or that breaks, takes part in nothing; what serves goes on.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from chatbot.answering.choice import choose_engine
from chatbot.answering.engine import Engine, GenerationRequest
from chatbot.answering.experiment import Experiment, Experiments
from chatbot.answering.live import POLL_S, LiveEngine
from chatbot.answering.prompt import ABSTENTION
from chatbot.answering.shadow import Shadow
from chatbot.settings import Settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Trial:
    experiment: Experiment
    engine: Engine
    shadow: Shadow


class TrialEngine:
    """Forwards to ``serving``, or for a conversation of the candidate's arm to the candidate.

    ``load`` builds the engine of a registered version and may raise SetupError.
    """

    def __init__(
        self,
        serving: LiveEngine,
        experiments: Experiments,
        load: Callable[[str], Engine],
        poll_s: float = POLL_S,
    ) -> None:
        self._serving, self._experiments, self._load = serving, experiments, load
        self._poll_s = poll_s
        self._trial: _Trial | None = None
        self._failed: tuple[str, str] | None = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="trial-watch", daemon=True)
        self._thread.start()

    @classmethod
    def from_settings(cls, settings: Settings) -> TrialEngine | LiveEngine:
        """Only the bare ``LiveEngine`` where this program does not choose the model."""
        serving = LiveEngine.from_settings(settings)
        if settings.engine == "openai" or settings.answer_adapter != "default":
            return serving

        def load(version: str) -> Engine:
            chosen = settings.model_copy(update={"answer_adapter": version})
            return choose_engine(chosen).engine

        return cls(serving, Experiments.of(settings), load)

    @property
    def name(self) -> str:
        return self._serving.name

    @property
    def model_version(self) -> str:
        return self._serving.model_version

    @property
    def open(self) -> int:
        trial = self._trial
        return self._serving.open + (trial.engine.open if trial is not None else 0)

    @property
    def max_waiting(self) -> int:
        return self._serving.max_waiting

    @property
    def reason(self) -> str:
        return self._serving.reason

    @property
    def broken(self) -> str | None:
        return self._serving.broken

    @property
    def problem(self) -> str | None:
        """What an operator should know although answers are written."""
        mine = f"the candidate takes part in nothing: {self._failed[1]}" if self._failed else None
        return self._serving.problem or mine

    @property
    def trial(self) -> Experiment | None:
        """The experiment that takes part right now."""
        trial = self._trial
        return trial.experiment if trial is not None else None

    def ensure_room(self) -> None:
        self._serving.ensure_room()

    def stream(self, request: GenerationRequest) -> AsyncGenerator[str, None]:
        with self._lock:
            trial = self._trial
            if trial is None or not self._takes_part(trial, request):
                return self._serving.stream(request)
            if trial.experiment.mode == "ab":
                return trial.engine.stream(request)
            return Overheard(self._serving.stream(request), request, trial.shadow)

    def doubt(self, request: GenerationRequest) -> Coroutine[Any, Any, float | None]:
        """Of the engine whose answer the customer will read."""
        with self._lock:
            trial = self._trial
            if trial is None or trial.experiment.mode != "ab":
                return self._serving.doubt(request)
            engine = trial.engine if self._takes_part(trial, request) else self._serving
            return engine.doubt(request)

    @staticmethod
    def _takes_part(trial: _Trial, request: GenerationRequest) -> bool:
        if not request.conversation or getattr(trial.engine, "broken", None):
            return False
        return trial.experiment.arm(request.conversation) == "candidate"

    async def close(self) -> None:
        self._stop.set()
        await asyncio.to_thread(self._thread.join)
        trial, self._trial = self._trial, None
        if trial is not None:
            trial.shadow.cancel()
            await trial.engine.close()
        await self._serving.close()

    def _watch(self) -> None:
        while not self._stop.wait(self._poll_s):
            wanted: Experiment | None = None
            try:
                wanted = self._experiments.current()
                if wanted is None:
                    self._failed = None
                if wanted == (self._trial.experiment if self._trial is not None else None):
                    continue
                if wanted is not None and self._failed and self._failed[0] == wanted.salt:
                    continue
                self._replace(wanted)
            except Exception as error:  # noqa: BLE001 - a watch that ends would follow nothing more
                salt = wanted.salt if wanted is not None else ""
                failed = (salt, str(error))
                if failed != self._failed:
                    logger.error("the candidate takes part in nothing: %s", error)
                self._failed = failed

    def _replace(self, wanted: Experiment | None) -> None:
        new: _Trial | None = None
        if wanted is not None:
            engine = self._load(wanted.candidate)
            file = self._experiments.shadow_file(wanted.candidate)
            new = _Trial(wanted, engine, Shadow(engine, file, lambda: self._serving.open > 0))
            logger.info("%s takes part (%s)", wanted.candidate, wanted.mode)
        with self._lock:
            old, self._trial, self._failed = self._trial, new, None
        if old is not None:
            while old.engine.open and not self._stop.is_set():
                time.sleep(0.05)
            asyncio.run(old.engine.close())


class Overheard(AsyncGenerator[str, None]):
    """A stream as it is; when it is finished, it is offered to the shadow, once.

    Nobody reads on after an abstention; any other answer that is not read to its end was
    superseded, and there is nothing to compare.
    """

    def __init__(
        self, pieces: AsyncGenerator[str, None], request: GenerationRequest, shadow: Shadow
    ) -> None:
        self._pieces, self._request = pieces, request
        self._shadow: Shadow | None = shadow
        self._started, self._answer = time.monotonic(), ""

    async def asend(self, value: None) -> str:
        try:
            piece = await self._pieces.asend(value)
        except StopAsyncIteration:
            self._offer()
            raise
        self._answer += piece
        return piece

    async def athrow(self, *error: Any) -> str:
        return await self._pieces.athrow(*error)

    async def aclose(self) -> None:
        if ABSTENTION in self._answer:
            self._offer()
        await self._pieces.aclose()

    def _offer(self) -> None:
        if self._shadow is not None:
            shadow, self._shadow = self._shadow, None
            shadow.offer(self._request, self._answer, time.monotonic() - self._started)
