"""(b, e) Whole turns over HTTP: from the customer's click to the first checked sentence."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.bench.figures import by_several, spread
from tests.bench.server import Server, ask


async def load(server: Server, asked: Iterable[str], customers: int) -> dict[str, Any]:
    """``customers`` ask ``asked`` between them, each one question at a time."""
    started = time.monotonic()
    results = await by_several(customers, asked, lambda question: ask(server, question))
    seconds = time.monotonic() - started
    firsts = [r["first_s"] for r in results if r["first_s"] is not None]
    return {
        "turns": len(results),
        "turns_per_s": round(len(results) / seconds, 3),
        "streamed": len(firsts),
        "first_sentence_s": spread(firsts),
        "end_s": spread([r["total_s"] for r in results]),
        "memory_mb": server.memory_mb(),
    }


def whole_turns(data_dir: Path, asked: list[str], customers: list[int]) -> dict[str, Any]:
    """First and later start, then each number of customers on one server."""
    server = Server(data_dir)
    found: dict[str, Any] = {"first_start_s": round(server.start_s, 1)}
    server.stop()
    server = Server(data_dir)
    found["later_start_s"] = round(server.start_s, 1)
    found["memory_at_start_mb"] = server.memory_mb()
    found["engine"] = server.engine
    try:
        found["units_read_s"] = round(server.wait_until_read(), 1)
        asyncio.run(ask(server, asked[0]))
        for count in customers:
            found[f"customers_{count}"] = asyncio.run(load(server, asked, count))
    finally:
        server.stop()
    return found


def soak(data_dir: Path, asked: list[str], minutes: float, customers: int = 4) -> dict[str, Any]:
    """Turns for ``minutes`` minutes; figures of each tenth show growth and drift."""
    server = Server(data_dir)
    waiting = itertools.cycle(asked)
    tenths = []
    try:
        asyncio.run(load(server, asked[:8], customers))
        for _ in range(10):
            until = time.monotonic() + minutes * 6
            part = itertools.takewhile(lambda _, until=until: time.monotonic() < until, waiting)
            tenths.append(asyncio.run(load(server, part, customers)))
    finally:
        server.stop()
    return {"minutes": minutes, "customers": customers, "tenths": tenths}
