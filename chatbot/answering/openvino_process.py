"""The server's end of ``openvino_worker``: starts it, sends requests, hears tokens."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatbot.errors import SetupError


@dataclass(frozen=True)
class PipelineOptions:
    """``threads``: 0 leaves it to OpenVINO. ``cache_tokens``: prompt and answer tokens that
    the KV cache holds for all requests together (23 KB each; those of a first question are 260 on
    average, of which the first 64 are shared); beyond that they wait for each other.
    ``step_tokens``: prompt tokens computed at once; more would make running answers wait.
    ``proposed``: tokens that prompt lookup proposes at once; 3 to 10 are alike on real turns, 1 and
    8 at once; 0 decodes token by token.
    ``exact``: float32 throughout, as the reference computes; slower, three times the memory.
    ``single``: float32 where the processor's own choice does not work."""

    threads: int = 0
    cache_tokens: int = 3_072
    step_tokens: int = 256
    proposed: int = 5
    exact: bool = False
    single: bool = False

    def as_json(self, stops: Sequence[int], beginnings: Sequence[int]) -> str:
        properties: dict[str, Any] = {}
        if self.threads:
            properties["INFERENCE_NUM_THREADS"] = self.threads
        if self.single:
            properties["INFERENCE_PRECISION_HINT"] = "f32"
        if self.exact:
            properties |= {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32"}
        return json.dumps(
            {
                "stops": list(stops),
                "beginnings": list(beginnings),
                "cache_tokens": self.cache_tokens,
                "step_tokens": self.step_tokens,
                "proposed": self.proposed,
                "properties": properties,
            }
        )


class WorkerProcess:
    """One running worker with its model loaded. Raises SetupError if that does not work.

    ``stops`` end an answer; ``beginnings`` are the tokens that one may begin with."""

    def __init__(
        self,
        model: Path,
        stops: Sequence[int],
        beginnings: Sequence[int],
        options: PipelineOptions,
    ) -> None:
        self._sending = threading.Lock()
        self._process = subprocess.Popen(  # noqa: S603  our own module, our own paths
            [
                sys.executable,
                "-m",
                "chatbot.answering.openvino_worker",
                str(model),
                options.as_json(stops, beginnings),
            ],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._events = self._read()
        first = next(self._events, {"error": "it ended while it started; see the log above"})
        if not first.get("ready"):
            self.stop()
            deque(self._events, 0)  # to its end, which closes the pipe
            raise SetupError(f"OpenVINO cannot serve {model.name}: {first['error']}")

    @property
    def pid(self) -> int:
        return self._process.pid

    def events(self) -> Iterator[dict[str, Any]]:
        """What the worker says, until it ends."""
        return self._events

    def _read(self) -> Iterator[dict[str, Any]]:
        assert self._process.stdout is not None  # noqa: S101  opened above
        for line in self._process.stdout:
            try:
                event = json.loads(line)
            except ValueError:  # the last line of a process that was killed
                continue
            yield event
        self._process.stdout.close()

    def send(self, message: dict[str, Any]) -> None:
        """Raises OSError when the worker has ended."""
        assert self._process.stdin is not None  # noqa: S101  opened above
        with self._sending:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()

    def stop(self, wait_s: float = 10.0) -> None:
        """Ends it and frees its memory; kills it if it does not listen. ``events`` then end."""
        assert self._process.stdin is not None  # noqa: S101  opened above
        with self._sending, suppress(OSError):  # it has gone already
            self._process.stdin.close()
        try:
            self._process.wait(wait_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        assert self._process.stdin is not None  # noqa: S101  opened above
        self._process.kill()
        self._process.wait()
        with suppress(OSError):  # what was not yet written goes nowhere
            self._process.stdin.close()
