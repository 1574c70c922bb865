"""What engines that decode in this process share: one thread, a bounded queue, streams.

The event loop never decodes: ``stream`` queues a ``Job``, the thread of the engine works on it
and posts each piece of text back to the loop.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from chatbot.answering.engine import EngineBusy, EngineFailed, GenerationRequest
from chatbot.answering.stream import EngineStream

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

UNFINISHED = "\ufffd"
"""What a decoder shows for the first bytes of a character whose last bytes are yet to come."""


class IncrementalText:
    """Token ids to text, piece by piece: whole characters only, control tokens left out.

    Only the last few tokens are decoded again for each new one. Two offsets make that safe for
    tokenizers that treat the first token of a text differently (as vLLM does it:
    ``detokenize_incrementally`` in vllm/transformers_utils/detokenizer_utils.py).
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._start = 0
        self._read = 0

    def add(self, token: int) -> str:
        """The text that this token completes, '' if a character is still unfinished."""
        self._ids.append(token)
        before = self._decode(self._ids[self._start : self._read])
        after = self._decode(self._ids[self._start :])
        if after.endswith(UNFINISHED) or len(after) <= len(before):
            return ""
        self._start, self._read = self._read, len(self._ids)
        return after[len(before) :]

    def _decode(self, ids: list[int]) -> str:
        return str(
            self._tokenizer.decode(
                ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        )


@dataclass(eq=False)
class Job:
    """One request on its way through the thread. ``put(None)`` ends its stream."""

    request: GenerationRequest
    deadline: float
    loop: asyncio.AbstractEventLoop
    pieces: asyncio.Queue[str | BaseException | None] = field(default_factory=asyncio.Queue)
    cancelled: threading.Event = field(default_factory=threading.Event)
    finished: bool = False
    weighs: bool = False
    """No answer is wanted, only ``doubt``."""
    doubt: float | None = None

    @property
    def over(self) -> bool:
        """Nobody waits for it any more."""
        return self.cancelled.is_set() or time.monotonic() > self.deadline

    def put(self, item: str | BaseException | None) -> None:
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.pieces.put_nowait, item)

    def fail(self, error: Exception) -> None:
        failed = EngineFailed(f"the answer model failed ({type(error).__name__})")
        failed.__cause__ = error
        self.put(failed)


class ThreadedEngine(ABC):
    """The ``Engine`` protocol but for the decoding itself.

    ``max_waiting``: requests that may wait or run before ``stream`` raises EngineBusy.
    ``together``: how many of them are written at the same time.
    """

    name: ClassVar[str]
    together: ClassVar[int] = 1
    seconds_per_answer: ClassVar[float] = 2.0
    """A typical answer on two cores; only used for Retry-After."""

    def __init__(self, model_version: str, max_waiting: int = 32) -> None:
        if max_waiting < 1:
            raise ValueError(f"max_waiting must be at least 1, got {max_waiting}")
        self.model_version = model_version
        self.max_waiting = max_waiting
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._open = 0
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="answer-engine", daemon=True)
        self._thread.start()

    @abstractmethod
    def _work(self) -> None:
        """The thread: takes jobs until it meets None, calls ``_finish`` for each."""

    @property
    def open(self) -> int:
        """Requests that wait or run."""
        return self._open

    def ensure_room(self) -> None:
        if self._closed:
            raise EngineFailed("the answer engine is closed")
        if self._open >= self.max_waiting:
            wait = max(1, round(self._open * self.seconds_per_answer / self.together))
            raise EngineBusy(
                f"{self._open} answers are waiting already; try again in {wait} s",
                retry_after_s=wait,
            )

    def stream(self, request: GenerationRequest) -> AsyncGenerator[str, None]:
        return self._queued(self._job(request))

    def doubt(self, request: GenerationRequest) -> Coroutine[Any, Any, float | None]:
        """Queued at the call, like ``stream``."""
        job = self._job(request, weighs=True)
        return _weighed(job, self._queued(job))

    def _job(self, request: GenerationRequest, *, weighs: bool = False) -> Job:
        if not request.accepted or self._closed:
            self.ensure_room()
        until = time.monotonic() + request.deadline_s
        return Job(request, until, asyncio.get_running_loop(), weighs=weighs)

    def _queued(self, job: Job) -> EngineStream:
        with self._lock:
            self._open += 1
        self._jobs.put(job)
        return EngineStream(_pieces(job), job.request.deadline_s, lambda: self._abandon(job))

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)

    def _abandon(self, job: Job) -> None:
        """Its stream has ended, whatever the reason; called on the event loop."""
        job.cancelled.set()

    def _finish(self, job: Job, error: Exception | None) -> None:
        """Frees the place first: who has read an answer to its end may ask at once again.

        A job that is over was left in the middle; it must not look like a complete answer.
        """
        with self._lock:
            self._open -= not job.finished
            job.finished = True
        if error is None and job.over:
            error = EngineFailed(f"no complete answer within {job.request.deadline_s:g} s")
        if error is None or isinstance(error, EngineFailed):
            job.put(error)
        else:
            job.fail(error)


async def _weighed(job: Job, stream: EngineStream) -> float | None:
    async with aclosing(stream):
        async for _ in stream:  # no pieces, only the end
            pass
    return job.doubt


async def _pieces(job: Job) -> AsyncGenerator[str, None]:
    while (item := await job.pieces.get()) is not None:
        if isinstance(item, BaseException):
            raise item
        yield item
