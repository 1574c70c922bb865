"""The contract of everything that can write an answer.

EngineBusy     before anything starts: the queue is full (429, Retry-After)
EngineFailed   at any moment: the model is missing, crashed, too slow or wrote nonsense (503)
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol

from chatbot.answering.prompt import PromptSegment
from chatbot.errors import TooManyRequests, Unavailable


class EngineBusy(TooManyRequests):
    slug, title = "engine-busy", "Too many answers are being written"


class EngineFailed(Unavailable):
    slug, title = "engine-failed", "The answer model does not work right now"


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """What to write: segments of ``prompt.build_segments`` and how far to go."""

    segments: tuple[PromptSegment, ...]
    prefix: str = ""
    """What of the answer is already released; the model continues after it, unchanged."""
    answers: bool = False
    """It must not begin with the abstention: whether there is an answer is decided already, with
    ``Engine.doubt``."""
    max_new_tokens: int = 160
    temperature: float = 0.0
    """0 is greedy: the same prompt gives the same answer."""
    seed: int | None = None
    deadline_s: float = 60.0
    """From the call to ``stream`` on, waiting included."""
    conversation: str = ""
    """Whose answer it is, so that an experiment treats a conversation alike throughout."""
    accepted: bool = field(default=False)
    """The customer already has a 202: wait for room instead of raising EngineBusy."""


class Engine(Protocol):
    """Writes answers. One instance serves the whole process."""

    @property
    def name(self) -> str:
        """Which engine, for logs and metrics: 'transformers', 'openai', …"""
        ...

    @property
    def model_version(self) -> str:
        """Base digest and adapter version; stored beside every draft."""
        ...

    @property
    def open(self) -> int:
        """Requests that wait or run."""
        ...

    @property
    def max_waiting(self) -> int:
        """So many may be open before ``stream`` raises EngineBusy."""
        ...

    def ensure_room(self) -> None:
        """Raises EngineBusy if ``stream`` would. For the moment before a 202."""
        ...

    def stream(self, request: GenerationRequest) -> AsyncGenerator[str, None]:
        """Pieces of the answer after the prefix: valid UTF-8, no control tokens.

        Raises EngineBusy at the call, EngineFailed while it runs. ``aclose()`` stops decoding
        within a token. The end of the generator is the end of the answer.
        """
        ...

    def doubt(self, request: GenerationRequest) -> Coroutine[Any, Any, float | None]:
        """Probability that the model would abstain; None where the engine cannot tell. The answer
        then costs little more than without: its prompt has been read. Raises what ``stream``
        raises."""
        ...

    async def close(self) -> None:
        """Stops what runs and frees the model."""
        ...


def engine_status(engine: Engine) -> dict[str, Any]:
    """For ``/readyz``: which engine and model, why this one, and what is wrong with it."""
    broken = getattr(engine, "broken", None)
    return {
        "ok": broken is None,
        "name": engine.name,
        "model": engine.model_version,
        "reason": getattr(engine, "reason", ""),
        "problem": broken or getattr(engine, "problem", None),
    }
