"""Invariant 3: kill -9 at any moment loses or doubles no message, decision or delivery."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from chatbot.storage import audit
from chatbot.storage.crypto import Vault
from chatbot.storage.database import Database
from tests.support.child_server import ANSWER
from tests.support.office import SECRET
from tests.support.server import Customer, admin, free_port

WHOLE = ANSWER.replace(" [1]", "").replace(" [2]", "")


@contextmanager
def child(data_dir: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.child_server", str(data_dir), str(port)],
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
    )
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=1)
                break
            except httpx.TransportError:
                time.sleep(0.05)
        else:
            raise RuntimeError("the child server did not start")
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


async def start(client: httpx.AsyncClient, data_dir: Path) -> Customer:
    key = f"dg_widget_{Vault(SECRET.encode()).digest('demo widget key')}"
    body = (
        await client.post("/v1/conversations", json={}, headers={"Authorization": f"Bearer {key}"})
    ).json()
    return Customer(client, body["id"], body["token"])


async def one_kill(data_dir: Path, after_s: float) -> None:
    """Sends a message, kills the server ``after_s`` later, starts it again, reads on."""
    port = free_port()
    with child(data_dir, port) as process:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            customer = await start(client, data_dir)
            assert (await customer.say("How long?", **{"Idempotency-Key": "k"})).status_code == 202
            await asyncio.sleep(after_s)
            process.send_signal(signal.SIGKILL)
            process.wait()
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


async def audit_is_whole(data_dir: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{data_dir}/chatbot.db")
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
            process.send_signal(signal.SIGKILL)
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


@pytest.mark.full
async def test_two_hundred_kills_lose_nothing(tmp_path: Path) -> None:
    chance = random.Random(17)
    for number in range(200):
        await one_kill(tmp_path / str(number), chance.random() * 0.7)
