"""Invariant 3: kill -9 at any moment loses or doubles no message, decision or delivery."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from chatbot.storage import audit
from chatbot.storage.crypto import Vault
from chatbot.storage.database import Database
from tests.support.child_server import ANSWER
from tests.support.children import Child, answers, child, widget_key
from tests.support.journey import Journey
from tests.support.office import SECRET
from tests.support.server import ADMIN_KEY, Customer, admin, free_port

WHOLE = ANSWER.replace(" [1]", "").replace(" [2]", "")


async def start(client: httpx.AsyncClient, data_dir: Path) -> Customer:
    key = {"Authorization": f"Bearer {widget_key()}"}
    body = (await client.post("/v1/conversations", json={}, headers=key)).json()
    return Customer(client, body["id"], body["token"])


async def one_kill(data_dir: Path, after_s: float) -> None:
    """Sends a message, kills the server ``after_s`` later, starts it again, reads on."""
    port = free_port()
    with child(data_dir, port) as process:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            customer = await start(client, data_dir)
            assert (await customer.say("How long?", **{"Idempotency-Key": "k"})).status_code == 202
            await asyncio.sleep(after_s)
            process.kill()
    with child(data_dir, port):
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            customer.client = client
            again = await customer.say("How long?", **{"Idempotency-Key": "k"})
            assert again.status_code == 202  # the client may retry: it is the same message
            events = [e for e in await customer.events(until="message", seconds=20) if e[0]]
    assert [position for position, _, _ in events] == list(range(1, len(events) + 1))
    kinds = [kind for _, kind, _ in events]
    assert kinds == ["received", "sentence", "sentence", "sentence", "message"]
    assert events[-1][2]["message"]["text"] == WHOLE
    await audit_is_whole(data_dir)


async def audit_is_whole(data_dir: Path, url: str = "") -> None:
    database = Database(url or f"sqlite+aiosqlite:///{data_dir}/chatbot.db")
    async with database.read() as session:
        rows, breaks = await audit.verify(session, Vault(SECRET.encode()))
    await database.close()
    assert rows > 0
    assert breaks == []


@pytest.mark.parametrize("moment", [0.0, 0.15, 0.3, 0.5])
async def test_a_killed_turn_is_answered_once(tmp_path: Path, moment: float) -> None:
    await one_kill(tmp_path, moment)


async def test_a_decision_survives_a_kill_or_was_never_taken(tmp_path: Path) -> None:
    port = free_port()
    with child(tmp_path, port) as process:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            customer = await start(client, tmp_path)
            await customer.say("review my trip")
            await customer.events(until="held")
            item = (await client.get("/v1/review/items", headers=admin())).json()["items"][0]
            path = f"/v1/review/items/{item['id']}"
            version = (await client.post(f"{path}/claim", headers=admin())).json()["version"]
            decision = asyncio.create_task(
                client.post(f"{path}/approve", headers=admin(), json={"version": version})
            )
            await asyncio.sleep(random.random() * 0.02)
            process.kill()
            await asyncio.gather(decision, return_exceptions=True)
    with child(tmp_path, port):
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            customer.client = client
            found = (await client.get(path, headers=admin())).json()
            history = (
                await client.get(f"{customer.path}/messages", headers=customer.headers)
            ).json()
            answers = [m for m in history["messages"] if m["author"]["kind"] == "bot"]
            assert len(answers) == (1 if found["state"] == "resolved" else 0)
            assert history["held"] is (found["state"] == "open")


async def kills(
    chance: random.Random,
    number: int,
    start: Callable[[], AbstractContextManager[Killable]],
    journey_of: Callable[[Killable], Journey],
    within_s: float,
) -> list[float]:
    """``number`` journeys, each cut off by a kill at a random moment and then gone on with; the
    seconds from the restart to each journey's end."""
    took = []
    for _ in range(number):
        journey: Journey | None = None
        with start() as server:
            journey = journey_of(server)
            going = asyncio.create_task(journey.go_on())
            await asyncio.sleep(chance.random() * within_s)
            server.kill()
            await asyncio.gather(going, return_exceptions=True)
            if going.exception() is not None:
                assert isinstance(going.exception(), httpx.HTTPError), going.exception()
        with start() as server:
            journey.url = server.url
            began = time.monotonic()
            await journey.go_on()
            await journey.check()
            took.append(time.monotonic() - began)
    return took


@dataclass
class Killable:
    url: str
    process: Child

    def kill(self) -> None:
        self.process.kill()


def scripted(data_dir: Path, url: str = "") -> Callable[[], AbstractContextManager[Killable]]:
    """Starts the child server with the scripted engine on a free port, again and again."""

    @contextmanager
    def start() -> Iterator[Killable]:
        port = free_port()
        with child(data_dir, port, url) as process:
            yield Killable(f"http://127.0.0.1:{port}", process)

    return start


def real(data_dir: Path) -> Callable[[], AbstractContextManager[Killable]]:
    """Starts ``server.py`` with its own models."""

    @contextmanager
    def start() -> Iterator[Killable]:
        port = free_port()
        settings = {
            "CHATBOT_DATA_DIR": str(data_dir),
            "CHATBOT_ADMIN_KEY": ADMIN_KEY,
            "CHATBOT_SECRET_KEY": SECRET,
            "CHATBOT_TURN_LEASE_S": "3",
            "CHATBOT_RATE_ADDRESS": "100000/minute",
            "CHATBOT_RATE_NEW_CONVERSATIONS": "1000/minute",
        }
        process = subprocess.Popen(
            [sys.executable, "server.py", "--port", str(port)],
            env=os.environ | settings,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        server = Child(process.pid, process)
        try:
            answers(port, "/readyz", 240)
            yield Killable(f"http://127.0.0.1:{port}", server)
        finally:
            server.kill()

    return start


def by_widget(server: Killable) -> Journey:
    return Journey(server.url, widget_key())


def by_real_widget(server: Killable) -> Journey:
    question = "Will you compensate me for a trip that was ruined by a faulty tent?"
    return Journey(server.url, widget_key(), question, patience_s=90)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_invariant_3_five_kills_of_the_whole_journey_lose_and_double_nothing(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    """Small; `make test-full` kills 190 times, and the real server ten times."""
    url = "" if kind == "sqlite" else request.getfixturevalue("postgres")(tmp_path)
    await kills(random.Random(5), 5, scripted(tmp_path, url), by_widget, 1.2)
    await audit_is_whole(tmp_path, url)


@pytest.mark.full
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_invariant_3_a_hundred_and_ninety_kills(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    """95 on each database."""
    url = "" if kind == "sqlite" else request.getfixturevalue("postgres")(tmp_path)
    took = await kills(random.Random(17), 95, scripted(tmp_path, url), by_widget, 1.2)
    print(f"{kind}: 95 kills; restart to end of journey, median {sorted(took)[47]:.2f} s")
    await audit_is_whole(tmp_path, url)


@pytest.mark.full
@pytest.mark.timeout(3600)
async def test_invariant_3_ten_kills_of_the_real_server(tmp_path: Path) -> None:
    took = await kills(random.Random(23), 10, real(tmp_path), by_real_widget, 8.0)
    print(f"real server: 10 kills; restart to end of journey, median {sorted(took)[5]:.2f} s")
    await audit_is_whole(tmp_path, "")
