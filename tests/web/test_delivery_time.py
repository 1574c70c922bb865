"""How long an approved text takes to the open widget, over HTTP, on one worker and across two."""

from __future__ import annotations

import asyncio
import statistics
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.support.databases import UrlOf
from tests.support.server import Customer, a_client, a_customer, admin, serving

APPROVALS = 60
TARGET_S = 0.5


async def seen_at(customer: Customer, listening: asyncio.Event) -> float:
    """When the approved message arrives on a stream that was open before."""
    async for _, kind, payload in customer.each_event():
        if kind == "held":
            listening.set()
        if kind == "message" and payload["message"]["author"]["kind"] == "bot":
            return time.perf_counter()
    raise AssertionError("the stream ended without the answer")


async def approval(reviewer: httpx.AsyncClient, customer: Customer) -> float:
    """Seconds from the reviewer's request to the text in the customer's stream."""
    await customer.say("review my ruined trip")
    listening = asyncio.Event()
    seen = asyncio.create_task(seen_at(customer, listening))
    await listening.wait()
    claimed = (await reviewer.post("/v1/review/items/claim-next", headers=admin())).json()
    assert claimed["conversation_id"] == customer.id
    began = time.perf_counter()
    approved = await reviewer.post(
        f"/v1/review/items/{claimed['id']}/approve",
        headers=admin(),
        json={"version": claimed["version"]},
    )
    assert approved.status_code == 200, approved.text
    return await seen - began


async def approvals(tmp_path: Path, database: UrlOf, workers: int, number: int) -> list[float]:
    """With two workers the customer listens to the one that the reviewer does not ask."""
    with ExitStack() as stack:
        started = [
            stack.enter_context(serving(tmp_path, database_url=database(tmp_path)))
            for _ in range(workers)
        ]
        async with a_client(started[0]) as reviewer, a_client(started[-1]) as widget:
            return [
                await approval(reviewer, await a_customer(started[-1], widget))
                for _ in range(number)
            ]


async def test_an_approved_text_is_soon_visible_on_the_other_worker(
    tmp_path: Path, database: UrlOf
) -> None:
    """Small; `make test-full` measures the 95th percentile."""
    assert statistics.median(await approvals(tmp_path, database, 2, 5)) <= TARGET_S


@pytest.mark.full
@pytest.mark.parametrize("workers", [1, 2])
async def test_an_approved_text_is_visible_within_half_a_second(
    tmp_path: Path, database: UrlOf, workers: int
) -> None:
    took = await approvals(tmp_path, database, workers, APPROVALS)
    p95 = statistics.quantiles(took, n=20)[-1]
    print(
        f"{workers} worker(s): {APPROVALS} approvals, p50 {statistics.median(took) * 1000:.0f} ms, "
        f"p95 {p95 * 1000:.0f} ms, longest {max(took) * 1000:.0f} ms"
    )
    assert p95 <= TARGET_S
