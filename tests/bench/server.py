"""The real server in a process of its own, and a customer who asks it over HTTP."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.support.server import ADMIN_KEY, Customer, free_port

ROOT = Path(__file__).parents[2]
ENDS = ("event: message", "event: held", "event: handover")


class Server:
    """``start_s``: from the command to ``/readyz`` saying yes."""

    def __init__(self, data_dir: Path, **environment: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        started = time.monotonic()
        values = {
            "CHATBOT_DATA_DIR": str(data_dir),
            "CHATBOT_ADMIN_KEY": ADMIN_KEY,
            "CHATBOT_RATE_NEW_CONVERSATIONS": "100000/minute",
            "CHATBOT_RATE_ADDRESS": "1000000/minute",
            "HF_HUB_OFFLINE": "1",
        }
        self.process = subprocess.Popen(
            [sys.executable, "server.py", "--port", str(self.port)],
            cwd=ROOT,
            env=os.environ | values | environment,
            stdout=subprocess.DEVNULL,
        )
        while True:
            try:
                ready = httpx.get(f"{self.url}/readyz", timeout=5)
                if ready.status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
            if self.process.poll() is not None:
                raise SystemExit("the server ended before it was ready")
        self.start_s = time.monotonic() - started
        self.engine: dict[str, Any] = ready.json()["parts"]["engine"]
        key = re.search(r'key="(dg_widget_\w+)"', httpx.get(self.url).text)
        self.widget_key = key.group(1) if key else ""

    def wait_until_read(self, at_most_s: float = 180.0) -> float:
        """Seconds until the units of the help centre are read ahead (``/readyz``)."""
        started = time.monotonic()
        while time.monotonic() - started < at_most_s:
            knowledge = httpx.get(f"{self.url}/readyz", timeout=30).json()["parts"]["knowledge"]
            if knowledge["units_read"]:
                break
            time.sleep(1)
        return time.monotonic() - started

    def memory_mb(self) -> dict[str, int]:
        """Of the server and the process that decodes: resident pages, and the same with shared
        ones counted once (rss, pss)."""
        server = psutil.Process(self.process.pid)
        found = [p.memory_full_info() for p in (server, *server.children(recursive=True))]
        return {name: round(sum(getattr(i, name) for i in found) / 1e6) for name in ("rss", "pss")}

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


async def ask(server: Server, question: str) -> dict[str, Any]:
    """Seconds from sending to the first released sentence and to the end, and how it ended."""
    async with httpx.AsyncClient(base_url=server.url, timeout=300, verify=False) as client:
        headers = {"Authorization": f"Bearer {server.widget_key}"}
        body = (await client.post("/v1/conversations", json={}, headers=headers)).json()
        customer = Customer(client, body["id"], body["token"])
        sent = time.monotonic()
        first: float | None = None
        response = client.stream(
            "GET", f"{customer.path}/events", headers=customer.headers | {"Last-Event-ID": "0"}
        )
        async with response as stream:
            await customer.say(question)
            async for line in stream.aiter_lines():
                if line == "event: sentence" and first is None:
                    first = time.monotonic() - sent
                if line in ENDS:
                    return {
                        "end": line.removeprefix("event: "),
                        "first_s": first,
                        "total_s": time.monotonic() - sent,
                    }
    raise RuntimeError("the stream ended before the answer")
