"""Starts ``child_server`` in processes that a test may kill.

One server alone is forked from a process that has imported everything: a start takes a tenth of
what a fresh interpreter takes, and hundreds of kills take minutes. Several workers are started as
``server.py`` starts them.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import httpx

from chatbot.storage.crypto import Vault
from tests.support.office import SECRET

MODULE = [sys.executable, "-m", "tests.support.child_server"]


class Child:
    """A server's process group, known by its leader."""

    def __init__(self, pid: int, own: subprocess.Popen[bytes] | None = None) -> None:
        self.pid, self._own = pid, own

    def kill(self) -> None:
        """SIGKILL to it and its workers; returns when it is gone."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        if self._own is not None:
            self._own.wait()
            return
        with suppress(ProcessLookupError):
            while True:  # the process that forked it collects it
                os.kill(self.pid, signal.SIGKILL)
                time.sleep(0.005)


@cache
def _forks() -> subprocess.Popen[str]:
    """Reads ``DATA_DIR<tab>PORT<tab>URL`` a line and answers with the pid of a server."""
    process = subprocess.Popen(
        [*MODULE, "--forks"],
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    atexit.register(process.communicate)  # the end of its input ends it
    return process


def _start(data_dir: Path, port: int, url: str, workers: int) -> Child:
    if workers > 1:
        own = subprocess.Popen(
            [*MODULE, str(data_dir), str(port), url, str(workers)],
            env=os.environ | {"PYTHONPATH": str(Path.cwd())},
            start_new_session=True,
        )
        return Child(own.pid, own)
    forks = _forks()
    assert forks.stdin is not None
    assert forks.stdout is not None
    forks.stdin.write(f"{data_dir}\t{port}\t{url}\n")
    forks.stdin.flush()
    return Child(int(forks.stdout.readline()))


@contextmanager
def child(data_dir: Path, port: int, url: str = "", workers: int = 1) -> Iterator[Child]:
    process = _start(data_dir, port, url, workers)
    try:
        answers(port, "/healthz", 120)  # a busy machine
        yield process
    finally:
        process.kill()


def answers(port: int, path: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"http://127.0.0.1:{port}{path}", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.02)
    raise RuntimeError(f"the server on port {port} did not start within {seconds:g} s")


def widget_key() -> str:
    return f"dg_widget_{Vault(SECRET.encode()).digest('demo widget key')}"
