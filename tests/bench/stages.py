"""(b, c) Where the time of a turn goes, and what the gate costs a sentence, idle and under load.

In this process, around the same functions that the server calls.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from chatbot.desk import Desk
from chatbot.steps import SentenceReleased, TurnRequest
from chatbot.turn import run_turn
from chatbot.types import Sentence
from tests.bench.figures import by_several, spread

Times = dict[str, list[float]]


def shares(desk: Desk, asked: list[str], people: tuple[int, ...] = (1, 8)) -> dict[str, Any]:
    """Seconds of each stage, p50 and p95, for 1 and for 8 customers at once."""

    while desk.warming is not None and desk.warming.done != desk.retriever.snapshot().name:
        time.sleep(1)

    async def run() -> dict[str, Any]:
        found = {}
        async for _ in run_turn(TurnRequest(asked[0]), desk):  # caches and lazy parts
            pass
        for count in people:
            times = await _timed(desk, asked, count)
            found[str(count)] = {name: spread(values, 4) for name, values in times.items()}
        return found

    return asyncio.run(run())


async def _timed(desk: Desk, asked: list[str], people: int) -> Times:
    times: Times = defaultdict(list)
    originals = desk.understand, desk.retrieve, desk.gate.check_sentence, desk.compose
    desk.understand = _clocked(desk.understand, times["understand_s"])  # type: ignore[method-assign]
    desk.retrieve = _clocked(desk.retrieve, times["retrieve_s"])  # type: ignore[method-assign]
    desk.gate.check_sentence = _clocked(  # type: ignore[method-assign]
        desk.gate.check_sentence, times["gate_per_sentence_s"]
    )

    desk.compose = _waited_for(desk.compose, times)  # type: ignore[method-assign]

    async def turn(question: str) -> None:
        started, released = time.perf_counter(), False
        async for step in run_turn(TurnRequest(question), desk):
            if isinstance(step, SentenceReleased) and not released:
                times["first_sentence_s"].append(time.perf_counter() - started)
                released = True
        times["turn_s"].append(time.perf_counter() - started)

    try:
        await by_several(people, asked, turn)
    finally:
        desk.understand, desk.retrieve = originals[:2]  # type: ignore[method-assign]
        desk.gate.check_sentence, desk.compose = originals[2:]  # type: ignore[method-assign]
    return times


def _waited_for(
    compose: Callable[..., AsyncGenerator[Sentence, None]], times: Times
) -> Callable[..., AsyncGenerator[Sentence, None]]:
    """Seconds until the model has finished its first sentence, and its whole answer."""

    async def clocked(*args: Any) -> AsyncGenerator[Sentence, None]:
        started = time.perf_counter()
        first = True
        async for sentence in compose(*args):
            if first:
                times["write_first_s"].append(time.perf_counter() - started)
                first = False
            yield sentence
        times["write_all_s"].append(time.perf_counter() - started)

    return clocked


def _clocked(
    function: Callable[..., Awaitable[Any]], seconds: list[float]
) -> Callable[..., Awaitable[Any]]:
    async def clocked(*args: Any, **named: Any) -> Any:
        started = time.perf_counter()
        try:
            return await function(*args, **named)
        finally:
            seconds.append(time.perf_counter() - started)

    return clocked
