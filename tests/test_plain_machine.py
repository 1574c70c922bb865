"""A machine with less than a laptop has: no OpenVINO, one core. It is slower, and says so."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator

import httpx
import pytest

from tests.support.server import free_port
from tests.test_serve import RunningServer, ask, start

pytestmark = pytest.mark.full  # PyTorch computes everything: two minutes

WITHOUT = """
import sys
from importlib.machinery import PathFinder

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] in ("openvino", "openvino_genai", "openvino_tokenizers"):
            return None  # as where pip finds no wheel for the machine
        return PathFinder.find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Without
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("without")
    (folder / "sitecustomize.py").write_text(WITHOUT)
    data_dir, port = tmp_path_factory.mktemp("data"), free_port()
    process, seconds = start(data_dir, port, cores=1, PYTHONPATH=str(folder))
    url = f"http://127.0.0.1:{port}"
    key = re.search(r'key="(dg_widget_[0-9a-f]+)"', httpx.get(url).text)
    assert key is not None
    yield RunningServer(url, key.group(1), seconds)
    os.killpg(process.pid, signal.SIGTERM)
    process.communicate(timeout=20)


async def test_a_question_is_answered_and_checked(served: RunningServer) -> None:
    _, events = await ask(served, "How long do I have to return a jacket?")
    message = events[-1][2]["message"]
    assert "60 days" in message["text"]
    assert message["citations"][0]["article"] == "return-window"


def test_readiness_and_metrics_say_what_is_slower(served: RunningServer) -> None:
    parts = httpx.get(f"{served.url}/readyz").json()["parts"]
    slower = {name for name, part in parts.items() if "openvino" in (part.get("problem") or "")}
    assert "engine" in slower
    assert len(slower) >= 2  # the encoder's networks too
    assert all(parts[name]["ok"] for name in slower)
    metrics = httpx.get(f"{served.url}/metrics").text
    for name in slower:
        assert f'deskgate_part_degraded{{part="{name}"}} 1.0' in metrics
