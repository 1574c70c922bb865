"""A real uvicorn server on a free port, with a scripted desk behind it."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from chatbot.review.rules import ReviewRules
from chatbot.settings import load_settings
from chatbot.storage.migrate import migrate
from chatbot.web.app import create_app
from tests.support.desk import ScriptedDesk
from tests.support.office import SECRET

ADMIN_KEY = "dg_admin_key_for_tests_only"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Running:
    url: str
    app: Any

    @property
    def widget_key(self) -> str:
        key: str = self.app.state.context.demo_widget_key
        return key


@contextmanager
def serving(data_dir: Path, desk: ScriptedDesk | None = None, **values: Any) -> Iterator[Running]:
    values = {"rate_new_conversations": "1000/minute", "rate_address": "100000/minute"} | values
    settings = load_settings(
        {},
        data_dir=data_dir,
        secret_key=SECRET,
        admin_key=ADMIN_KEY,
        rate_conversation=values.pop("rate_conversation", "1000/minute"),
        rate_key="100000/minute",
        **values,
    )
    migrate(settings.resolved_database_url, data_dir)
    app = create_app(settings, lambda _settings: desk or ScriptedDesk())
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(app, port=port, log_level="error", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        if time.monotonic() > deadline or not thread.is_alive():
            raise RuntimeError("the server did not start")
        time.sleep(0.02)
    # Nothing is sampled, so that every run of a test is decided alike.
    office = app.state.context.office
    office.rules = ReviewRules(settings, office.company.texts)
    try:
        yield Running(f"http://127.0.0.1:{port}", app)
    finally:
        server.should_exit = True
        thread.join(10)


class Customer:
    """A client of the widget's routes."""

    def __init__(self, client: httpx.AsyncClient, conversation: str, token: str) -> None:
        self.client, self.id = client, conversation
        self.headers = {"Authorization": f"Bearer {token}"}
        self.path = f"/v1/conversations/{conversation}"

    async def say(self, text: str, **headers: str) -> httpx.Response:
        return await self.client.post(
            f"{self.path}/messages", json={"text": text}, headers=self.headers | headers
        )

    async def events(
        self, until: str | None = None, after: int = 0, seconds: float = 10.0
    ) -> list[tuple[int | None, str, dict[str, Any]]]:
        """Events after a position, up to the first ``until`` (or for ``seconds``)."""
        found: list[tuple[int | None, str, dict[str, Any]]] = []
        deadline = time.monotonic() + seconds
        async for event in self.each_event(after, seconds):
            found.append(event)
            if event[1] == until or time.monotonic() > deadline:
                break
        return found

    async def each_event(
        self, after: int = 0, seconds: float = 10.0
    ) -> AsyncIterator[tuple[int | None, str, dict[str, Any]]]:
        """(position or None, kind, payload) as they come."""
        headers = self.headers | {"Last-Event-ID": str(after)}
        async with self.client.stream(
            "GET", f"{self.path}/events", headers=headers, timeout=seconds
        ) as response:
            assert response.status_code == 200, await response.aread()
            position, kind = None, ""
            async for line in response.aiter_lines():
                if line.startswith("id: "):
                    position = int(line[4:])
                elif line.startswith("event: "):
                    kind = line[7:]
                elif line.startswith("data: "):
                    yield position, kind, json.loads(line[6:])
                    position = None


@asynccontextmanager
async def a_client(running: Running) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=running.url, timeout=20) as client:
        yield client


async def a_customer(running: Running, client: httpx.AsyncClient) -> Customer:
    response = await client.post(
        "/v1/conversations",
        json={},
        headers={"Authorization": f"Bearer {running.widget_key}"},
    )
    assert response.status_code == 201, response.text
    body = response.json()
    return Customer(client, body["id"], body["token"])


def admin() -> dict[str, str]:
    return {"Authorization": f"Bearer {ADMIN_KEY}"}
