"""Two gigabytes of memory, and a processor without AVX-512: the server starts and answers."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.server import free_port
from tests.test_serve import RunningServer, ask, start

pytestmark = pytest.mark.full  # each first start prepares the models: a minute and more
LIMIT = 2 * 1024**3
QUESTIONS = (
    "How long do I have to return a jacket?",
    "What does express delivery to Germany cost?",
    "How do I book a repair?",
    "Can I bring a gas canister back?",
)


@contextmanager
def limited() -> Iterator[Path]:
    """A control group with LIMIT bytes and no swap; skips where none can be made."""
    two = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    group = Path("/sys/fs/cgroup" if two else "/sys/fs/cgroup/memory") / f"deskgate-{os.getpid()}"
    try:
        group.mkdir()
        (group / ("memory.max" if two else "memory.limit_in_bytes")).write_text(str(LIMIT))
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    try:
        yield group
    finally:
        for _ in range(50):
            try:
                group.rmdir()
                break
            except OSError:  # its processes are still ending
                import time

                time.sleep(0.1)


@contextmanager
def running(data_dir: Path, group: Path | None = None, **env: str) -> Iterator[RunningServer]:
    port = free_port()
    process, seconds = start(data_dir, port, group=group, **env)
    url = f"http://127.0.0.1:{port}"
    key = re.search(r'key="(dg_widget_[0-9a-f]+)"', httpx.get(url).text)
    assert key is not None
    try:
        yield RunningServer(url, key.group(1), seconds)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=20)


async def answered(served: RunningServer) -> None:
    for question in QUESTIONS:
        _, events = await ask(served, question)
        assert events[-1][2]["message"]["citations"], question
    parts = httpx.get(f"{served.url}/readyz").json()["parts"]
    assert parts["engine"]["ok"]
    assert parts["engine"]["name"] == "openvino"


async def test_two_gigabytes_are_enough_for_the_first_start_and_for_questions(
    tmp_path: Path,
) -> None:
    with limited() as group, running(tmp_path, group) as served:
        await answered(served)


async def test_a_processor_without_avx512_is_only_slower(tmp_path: Path) -> None:
    with running(tmp_path, ONEDNN_MAX_CPU_ISA="AVX2", OPENVINO_MAX_CPU_ISA="AVX2") as served:
        await answered(served)
