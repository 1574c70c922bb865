"""Small helpers for figures: percentiles, and asking many things at once."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest rank; NaN for none."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def spread(values: Sequence[float], digits: int = 3) -> dict[str, float]:
    return {
        "p50": round(percentile(values, 0.5), digits),
        "p95": round(percentile(values, 0.95), digits),
    }


async def by_several(people: int, things: Iterable[T], do: Callable[[T], Awaitable[R]]) -> list[R]:
    """``people`` work through ``things`` together, each doing one at a time."""
    waiting = iter(things)
    done: list[R] = []

    async def person() -> None:
        for thing in waiting:
            done.append(await do(thing))

    await asyncio.gather(*(person() for _ in range(people)))
    return done
