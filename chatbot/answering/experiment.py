"""A candidate beside what serves: in the shadow, or for a share of the conversations.

    data_dir/models/answers/
        experiment.json       the one that runs, if any
        experiments.jsonl     those that have ended, with why
        shadow/VERSION.jsonl  what the candidate would have done, in figures without any text

A conversation's arm is a hash of its id: every worker knows it, nothing needs to be stored, and
a customer never meets both models.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from chatbot.answering.served import AnswerRegistry
from chatbot.errors import BadInput, Conflict, SetupError
from chatbot.settings import Settings

FILE, ENDED, SHADOW = "experiment.json", "experiments.jsonl", "shadow"
Mode = Literal["shadow", "ab"]
Arm = Literal["serving", "candidate"]


@dataclass(frozen=True)
class Experiment:
    """``share`` of the conversations meet the candidate (shadow: are drafted a second time)."""

    mode: Mode
    candidate: str
    share: float
    started_at: float
    salt: str

    def arm(self, conversation: str) -> Arm:
        drawn = hashlib.sha256(f"{self.salt}:{conversation}".encode()).digest()[:8]
        return "candidate" if int.from_bytes(drawn) < self.share * 2**64 else "serving"


class Experiments:
    """The running experiment of a data directory."""

    def __init__(self, registry: AnswerRegistry) -> None:
        self.registry = registry
        self._seen: tuple[int, int] | None = None
        self._current: Experiment | None = None

    @classmethod
    def of(cls, settings: Settings) -> Experiments:
        return cls(AnswerRegistry.of(settings))

    @property
    def root(self) -> Path:
        return self.registry.root

    def current(self) -> Experiment | None:
        """Read again only when the file has changed. Raises SetupError where it is damaged."""
        try:
            stat = (self.root / FILE).stat()
        except FileNotFoundError:
            self._seen = self._current = None
            return None
        if (stat.st_mtime_ns, stat.st_ino) != self._seen:
            try:
                self._current = Experiment(**json.loads((self.root / FILE).read_text()))
            except (ValueError, TypeError) as error:
                raise SetupError(
                    f"{self.root / FILE} cannot be read ({error}); delete it to end the experiment"
                ) from None
            self._seen = (stat.st_mtime_ns, stat.st_ino)
        return self._current

    def check(self, candidate: str, share: float) -> None:
        """Raises NotFound for a version that is not registered, Conflict where one runs or the
        candidate serves already, BadInput for a share that is none."""
        if not 0 < share <= 1:
            raise BadInput(f"a share lies between 0 and 1, got {share:g}")
        self.registry.path(candidate)
        if self.registry.aliases().get("serving") == candidate:
            raise Conflict(f"{candidate} serves already; there is nothing to compare it with")
        running = self.current()
        if running is not None:
            raise Conflict(f"an experiment with {running.candidate} runs; stop it first")

    def start(self, mode: Mode, candidate: str, share: float) -> Experiment:
        """Raises what ``check`` raises."""
        self.check(candidate, share)
        experiment = Experiment(mode, candidate, share, time.time(), secrets.token_hex(8))
        temporary = self.root / f".{FILE}.{os.getpid()}"
        temporary.write_text(json.dumps(asdict(experiment), indent=1) + "\n")
        temporary.replace(self.root / FILE)
        self.registry.point("candidate", candidate)
        return experiment

    def stop(self, why: str, figures: dict[str, Any] | None = None) -> Experiment:
        """Ends the running one at once, on every worker. Raises Conflict where none runs."""
        running = self.current()
        if running is None:
            raise Conflict("no experiment runs")
        (self.root / FILE).unlink()
        ended = {**asdict(running), "ended_at": time.time(), "why": why, "figures": figures}
        with (self.root / ENDED).open("a", encoding="utf-8") as file:
            file.write(json.dumps(ended) + "\n")
        return running

    def shadow_file(self, candidate: str) -> Path:
        return self.root / SHADOW / f"{candidate}.jsonl"
