"""Starts ``child_server`` in processes that a test may kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from chatbot.storage.crypto import Vault
from tests.support.office import SECRET


@contextmanager
def child(
    data_dir: Path, port: int, url: str = "", workers: int = 1
) -> Iterator[subprocess.Popen[bytes]]:
    arguments = [str(data_dir), str(port), url, str(workers)]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.child_server", *arguments],
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
        start_new_session=True,
    )
    try:
        answers(port, "/healthz", 120)  # a busy machine
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)  # its workers with it
            process.wait()


def answers(port: int, path: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"http://127.0.0.1:{port}{path}", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"the server on port {port} did not start within {seconds:g} s")


def widget_key() -> str:
    return f"dg_widget_{Vault(SECRET.encode()).digest('demo widget key')}"
