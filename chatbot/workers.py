"""Threads for models: nothing heavy runs on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Workers:
    """A small pool. A call past its deadline is abandoned: its result is never used."""

    def __init__(self, threads: int = 4) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="model")

    async def run(self, function: Callable[..., T], *args: object, deadline_s: float = 30.0) -> T:
        """Raises TimeoutError after ``deadline_s`` seconds, queueing included."""
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._pool, lambda: function(*args))
        return await asyncio.wait_for(future, deadline_s)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
