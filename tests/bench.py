"""``make bench``: what a customer and an operator feel, measured over HTTP on the real server.

Starts ``python server.py`` twice on an empty data directory (first and later start), asks dev
questions one by one and then from several customers at once, and prints one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from tests.support.server import ADMIN_KEY, Customer, free_port

ROOT = Path(__file__).parents[1]
QUESTIONS = ROOT / "knowledge_base" / "sample" / "questions" / "dev.jsonl"


class Server:
    """The real server in a process of its own."""

    def __init__(self, data_dir: Path) -> None:
        self.port = free_port()
        started = time.monotonic()
        environment = {
            "CHATBOT_DATA_DIR": str(data_dir),
            "CHATBOT_ADMIN_KEY": ADMIN_KEY,
            "CHATBOT_RATE_NEW_CONVERSATIONS": "10000/minute",
            "CHATBOT_RATE_ADDRESS": "100000/minute",
            "HF_HUB_OFFLINE": "1",
        }
        self.process = subprocess.Popen(
            [sys.executable, "server.py", "--port", str(self.port)],
            cwd=ROOT,
            env=os.environ | environment,
            stdout=subprocess.DEVNULL,
        )
        self.url = f"http://127.0.0.1:{self.port}"
        while True:
            try:
                if httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
            if self.process.poll() is not None:
                raise SystemExit("the server ended before it was ready")
        self.start_s = time.monotonic() - started
        key = re.search(r'key="(dg_widget_\w+)"', httpx.get(self.url).text)
        self.widget_key = key.group(1) if key else ""

    def rss_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+)", status)
        return int(found.group(1)) / 1024 if found else float("nan")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


async def ask(server: Server, question: str) -> dict[str, Any]:
    """Seconds from sending to the first released sentence and to the end, and how it ended."""
    async with httpx.AsyncClient(base_url=server.url, timeout=120) as client:
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
                if line in ("event: message", "event: held", "event: handover"):
                    return {
                        "end": line.removeprefix("event: "),
                        "first_s": first,
                        "total_s": time.monotonic() - sent,
                    }
    raise RuntimeError("the stream ended before the answer")


def summary(results: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
    first = sorted(r["first_s"] for r in results if r["first_s"] is not None)
    total = sorted(r["total_s"] for r in results)
    return {
        "turns": len(results),
        "turns_per_s": round(len(results) / seconds, 3),
        "answers_streamed": len(first),
        "first_sentence_median_s": round(statistics.median(first), 3),
        "first_sentence_p95_s": round(first[int(0.95 * (len(first) - 1))], 3),
        "total_median_s": round(statistics.median(total), 3),
        "total_p95_s": round(total[int(0.95 * (len(total) - 1))], 3),
    }


async def load(server: Server, questions: list[str], customers: int) -> dict[str, Any]:
    results: list[dict[str, Any]] = []
    waiting = iter(questions)

    async def customer() -> None:
        for question in waiting:
            results.append(await ask(server, question))

    started = time.monotonic()
    await asyncio.gather(*(customer() for _ in range(customers)))
    return summary(results, time.monotonic() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=40)
    parser.add_argument("--customers", type=int, nargs="*", default=[1, 4, 8])
    arguments = parser.parse_args()
    rows = [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]
    questions = [r["question"] for r in rows if r["expect"] == "answer" and not r["history"]]
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        report: dict[str, Any] = {"first_start_s": round(server.start_s, 1)}
        server.stop()
        server = Server(Path(folder))
        report["later_start_s"] = round(server.start_s, 1)
        asyncio.run(ask(server, questions[0]))
        for customers in arguments.customers:
            report[f"customers_{customers}"] = asyncio.run(
                load(server, questions[: arguments.turns], customers)
            )
        report["peak_rss_mb"] = round(server.rss_mb())
        server.stop()
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
