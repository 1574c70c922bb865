"""Promotion and rollback on the real server, while customers ask."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from chatbot.answering.served import DEFAULT_ADAPTER, WEIGHTS
from tests.bench.server import Server, ask

CUSTOMERS = 2
VISIBLE_S = 10.0


def variant(folder: Path) -> Path:
    """The default adapter, a hundredth weaker."""
    shutil.copytree(DEFAULT_ADAPTER, folder)
    state = load_file(folder / WEIGHTS)
    weaker = {n: v * np.float16(0.99) if "lora_B" in n else v for n, v in state.items()}
    save_file(weaker, folder / WEIGHTS, metadata={"format": "pt"})
    return folder


def finetune(data_dir: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "finetune", *arguments, "--data-dir", str(data_dir)]
    subprocess.run(command, check=True, env=os.environ | {"HF_HUB_OFFLINE": "1"}, timeout=600)


def model(server: Server) -> str:
    parts = httpx.get(f"{server.url}/readyz", timeout=60).json()["parts"]
    return str(parts["engine"]["model"])


async def until(server: Server, said: str) -> float:
    """When the model that answers is called so, in seconds since the epoch."""
    async with asyncio.timeout(300):
        while said not in await asyncio.to_thread(model, server):  # noqa: ASYNC110  a process
            await asyncio.sleep(0.1)
    return time.time()


@pytest.mark.full
async def test_promotion_and_rollback_reach_the_next_turn_and_fail_none(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    adapter = variant(tmp_path / "variant")
    server = await asyncio.to_thread(Server, data_dir)
    aliases = data_dir / "models" / "answers" / "aliases.json"
    answered: list[dict[str, Any]] = []
    over = asyncio.Event()

    async def customer(questions: list[str]) -> None:
        while not over.is_set():
            answered.append(await ask(server, questions[len(answered) % len(questions)]))

    found: dict[str, Any] = {}
    try:
        async with asyncio.TaskGroup() as group:
            questions = ["How long do I have to return a tent?", "What does delivery cost?"]
            for _ in range(CUSTOMERS):
                group.create_task(customer(questions))
            for name, said, arguments in (
                ("promote", "+v1@", ("promote", str(adapter), "--as", "v1", "--override", "test")),
                ("rollback", "+weights@", ("rollback",)),
            ):
                command = asyncio.to_thread(finetune, data_dir, *arguments)
                visible, _ = await asyncio.gather(until(server, said), command)
                found[f"{name}_visible_s"] = round(visible - aliases.stat().st_mtime, 2)
            over.set()
    finally:
        server.stop()
    found["turns"] = len(answered)
    print(json.dumps(found))
    assert found["promote_visible_s"] <= VISIBLE_S
    assert found["rollback_visible_s"] <= VISIBLE_S
    assert found["turns"] >= CUSTOMERS
