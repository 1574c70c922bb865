"""``--workers 2``: two processes on one database share turns, items and streams."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.support.children import child, widget_key
from tests.support.databases import UrlOf
from tests.support.journey import Journey
from tests.support.server import free_port

CUSTOMERS = 6


async def test_two_workers_take_customers_and_reviewers_through_their_journeys(
    tmp_path: Path, database: UrlOf
) -> None:
    port = free_port()
    with child(tmp_path, port, database(tmp_path), workers=2):
        journeys = [
            Journey(f"http://127.0.0.1:{port}", widget_key(), reviewed=f"review my trip {n}")
            for n in range(CUSTOMERS)
        ]
        await asyncio.gather(*(journey.go_on() for journey in journeys))
        for journey in journeys:
            await journey.check()
