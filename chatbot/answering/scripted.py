"""An engine that says what a test tells it to, as ``httpx.MockTransport`` is to ``httpx``.

engine = ScriptedEngine(["Returns are free [1]."], cuts=[3, 9])
engine = ScriptedEngine(lambda request: "Hello.", crash_at=4)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

from chatbot.answering.engine import EngineBusy, EngineFailed, GenerationRequest
from chatbot.answering.stream import EngineStream

Script = str | Sequence[str] | Callable[[GenerationRequest], str]


class ScriptedEngine:
    """Streams scripted texts.

    ``script``: one text, several (one a call, the last repeats), or a function of the request.
    A text that begins with the request's prefix continues after it, as a real model would.
    ``cuts``: character offsets at which the text is cut into pieces (default: words).
    ``crash_at``: raise EngineFailed before this character. ``stall_at``: stop for ``stall_s``
    there. ``delay_s``: pause before each piece. ``busy``: every call raises EngineBusy;
    ``max_waiting``: calls open at once before one does.
    ``doubts``: the share that ``doubt`` tells.
    ``requests`` keeps what was asked; ``cancelled`` counts generators closed early.
    """

    name = "scripted"

    def __init__(
        self,
        script: Script,
        *,
        cuts: Sequence[int] | None = None,
        crash_at: int | None = None,
        stall_at: int | None = None,
        stall_s: float = 3600.0,
        delay_s: float = 0.0,
        busy: bool = False,
        max_waiting: int = 32,
        model_version: str = "scripted",
        doubts: float | None = None,
    ) -> None:
        self._script = script
        self.doubts = doubts
        self.cuts = cuts
        self.crash_at = crash_at
        self.stall_at = stall_at
        self.stall_s = stall_s
        self.delay_s = delay_s
        self.busy = busy
        self.max_waiting = max_waiting
        self.open = 0
        self.model_version = model_version
        self.requests: list[GenerationRequest] = []
        self.cancelled = 0
        self.closed = False

    def ensure_room(self) -> None:
        if self.closed:
            raise EngineFailed("the scripted engine is closed")
        if self.busy or self.open >= self.max_waiting:
            raise EngineBusy("the scripted engine is busy", retry_after_s=1)

    def stream(self, request: GenerationRequest) -> AsyncGenerator[str, None]:
        if not request.accepted or self.closed:
            self.ensure_room()
        text = self._next_text(request)
        self.requests.append(request)
        self.open += 1
        return EngineStream(self._pieces(text), request.deadline_s, self._ended)

    async def doubt(self, request: GenerationRequest) -> float | None:
        if not request.accepted or self.closed:
            self.ensure_room()
        return self.doubts

    async def close(self) -> None:
        self.closed = True

    def _ended(self) -> None:
        self.open -= 1

    def _next_text(self, request: GenerationRequest) -> str:
        if callable(self._script):
            text = self._script(request)
        elif isinstance(self._script, str):
            text = self._script
        else:
            text = self._script[min(len(self.requests), len(self._script) - 1)]
        return text.removeprefix(request.prefix) if request.prefix else text

    async def _pieces(self, text: str) -> AsyncGenerator[str, None]:
        stops = {0, len(text), *(self.cuts if self.cuts is not None else _word_ends(text))}
        stops |= {at for at in (self.crash_at, self.stall_at) if at is not None}
        offsets = sorted(offset for offset in stops if 0 <= offset <= len(text))
        finished = False
        try:
            for start, end in zip(offsets, [*offsets[1:], len(text)], strict=True):
                if start == self.crash_at:
                    raise EngineFailed("the scripted engine crashed")
                if start == self.stall_at:
                    await asyncio.sleep(self.stall_s)
                await asyncio.sleep(self.delay_s)
                if end > start:
                    yield text[start:end]
            finished = True
        except EngineFailed:
            finished = True
            raise
        finally:
            self.cancelled += not finished


def _word_ends(text: str) -> list[int]:
    return [index for index, character in enumerate(text) if character == " "]
