"""The parts of a benchmark, each to be run in a process of its own."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from chatbot.answering.engine import GenerationRequest
from chatbot.settings import Settings, load_settings
from tests.bench import machine
from tests.bench.questions import questions, requests_of

T = TypeVar("T")

NAMES = ("turns", "stages", "engines", "plain", "equality")
"""In the order of their worth, for a run that is cut short. 'machine' and 'soak' beside them."""


def measure(name: str, folder: Path, arguments: argparse.Namespace) -> Any:
    """The figures of one part, as JSON holds them. ``folder`` is the data directory."""
    if name == "machine":
        return machine.describe()
    asked = questions(arguments.turns)
    if name in ("turns", "soak"):
        from tests.bench import turns

        if name == "soak":
            return turns.soak(folder, asked, arguments.soak)
        return turns.whole_turns(folder, asked, arguments.customers)
    settings = load_settings({}, data_dir=folder)
    _prepare(settings)
    if name == "stages":
        from tests.bench import stages

        return _with_desk(settings, lambda desk: stages.shares(desk, asked))
    if name == "plain":
        from tests.bench import plain_program

        some = asked[: arguments.plain]
        return [plain_program.measure(settings, some, [1, 8], tokens) for tokens in (64, 24)]
    count = arguments.prompts if name == "equality" else min(64, arguments.prompts)
    wanted = questions(count, "dev.jsonl", "train.jsonl")
    requests: list[GenerationRequest] = _with_desk(
        settings, lambda desk: asyncio.run(requests_of(desk, wanted))
    )
    if name == "equality":
        from tests.bench import equality

        return equality.equal_answers(settings, requests)
    from tests.bench import engines

    found = engines.compare(settings, requests, arguments.tokens, arguments.llama)
    found["limit"] = engines.limits(settings, machine.bandwidth_gb_s())
    return found


def _prepare(settings: Settings) -> None:
    from chatbot.prepare import prepare

    asyncio.run(prepare(settings))


def _with_desk(settings: Settings, use: Callable[[Any], T]) -> T:
    from chatbot.loading import load_desk

    desk = load_desk(settings)
    try:
        return use(desk)
    finally:
        asyncio.run(desk.close())
