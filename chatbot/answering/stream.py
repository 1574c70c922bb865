"""What every engine's ``stream`` returns: pieces within a deadline, and one end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

from chatbot.answering.engine import EngineFailed


class EngineStream(AsyncGenerator[str, None]):
    """``pieces`` until they end, fail, are closed, or ``deadline_s`` seconds have passed since
    this object was made; then EngineFailed.

    ``on_end`` is called exactly once, also for a stream that is closed before its first piece
    was asked for (which a generator's own ``finally`` would miss).
    """

    def __init__(
        self,
        pieces: AsyncGenerator[str, None],
        deadline_s: float,
        on_end: Callable[[], None],
    ) -> None:
        self._pieces = pieces
        self._deadline_s = deadline_s
        self._until = asyncio.get_running_loop().time() + deadline_s
        self._on_end: Callable[[], None] | None = on_end

    async def asend(self, value: None) -> str:
        limit = asyncio.timeout_at(self._until)
        try:
            async with limit:
                return await self._pieces.asend(value)
        except TimeoutError:
            self._end()
            if not limit.expired():
                raise
            raise EngineFailed(f"no complete answer within {self._deadline_s:g} s") from None
        except BaseException:
            self._end()
            raise

    async def athrow(self, *error: Any) -> str:
        self._end()
        return await self._pieces.athrow(*error)

    async def aclose(self) -> None:
        self._end()
        await self._pieces.aclose()

    def _end(self) -> None:
        if self._on_end is not None:
            on_end, self._on_end = self._on_end, None
            on_end()
