"""What a candidate would have answered, compared and forgotten: figures only, never a text.

It is drafted after the customer has the answer, one at a time, while nobody waits for the engine
that serves. What cannot be drafted in time is counted, not queued without end.
"""

from __future__ import annotations

import asyncio
import difflib
import json
import logging
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from chatbot.answering.citations import split_marks
from chatbot.answering.engine import Engine, GenerationRequest
from chatbot.answering.prompt import ABSTENTION
from chatbot.errors import DeskgateError

log = logging.getLogger(__name__)

WAITING = 8
QUIET_S = 30.0  # so long a draft waits for the serving engine to be idle
_WORD = re.compile(r"\w+")
_FIGURE = re.compile(r"\d+(?:[.,:]\d+)*")


class Shadow:
    """Drafts with one candidate; ``busy`` says whether customers wait for an answer."""

    def __init__(self, engine: Engine, file: Path, busy: Callable[[], bool]) -> None:
        self.engine, self.file, self.busy = engine, file, busy
        self.dropped = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._one = asyncio.Semaphore(1)

    def offer(self, request: GenerationRequest, answer: str, seconds: float) -> None:
        """Takes what was asked and answered; returns at once."""
        if len(self._tasks) >= WAITING:
            self.dropped += 1
            return
        task = asyncio.create_task(self._draft(request, answer, seconds))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drained(self) -> None:
        """When everything that was offered is written down."""
        await asyncio.gather(*self._tasks)

    def cancel(self) -> None:
        for task in list(self._tasks):
            task.cancel()

    async def _draft(self, request: GenerationRequest, answer: str, seconds: float) -> None:
        async with self._one:
            until = time.monotonic() + QUIET_S
            while self.busy():
                if time.monotonic() > until:
                    self.dropped += 1
                    return
                await asyncio.sleep(0.05)
            started = time.monotonic()
            row: dict[str, Any]
            try:
                drafted = replace(request, answers=False, accepted=True)
                other = "".join([piece async for piece in self.engine.stream(drafted)])
                row = compared(answer, other)
                row["seconds"] = [round(seconds, 3), round(time.monotonic() - started, 3)]
            except (DeskgateError, TimeoutError) as error:
                row = {"failed": type(error).__name__}
            row["shown_figures"] = None if "failed" in row else _held(request, other)
            self._write({"at": time.time(), **row})

    def _write(self, row: dict[str, Any]) -> None:
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        except OSError as error:
            log.error("what the shadow did cannot be written to %s: %s", self.file, error)


def compared(serving: str, candidate: str) -> dict[str, Any]:
    """Pairs of (serving, candidate) in figures; ``alike`` is 1 for the same words."""
    said = [split_marks(text, 99) for text in (serving, candidate)]
    words = [_WORD.findall(text.lower()) for text, _ in said]
    matcher = difflib.SequenceMatcher(None, words[0], words[1], autojunk=False)
    return {
        "same": words[0] == words[1],
        "alike": round(matcher.ratio(), 4),
        "words": [len(own) for own in words],
        "abstained": [ABSTENTION in text for text, _ in said],
        "cited": [sorted(set(marks)) for _, marks in said],
    }


def _held(request: GenerationRequest, answer: str) -> bool:
    """Whether every number of the candidate's answer stands in what it was shown."""
    shown = set(_FIGURE.findall(" ".join(segment.text for segment in request.segments)))
    return set(_FIGURE.findall(split_marks(answer, 99)[0])) <= shown
