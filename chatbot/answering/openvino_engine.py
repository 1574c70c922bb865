"""The engine for plain CPUs: OpenVINO GenAI with continuous batching over a merged model.

Requests are decoded together, one token each per step, and join or leave between steps, so
nobody queues behind a long answer. The prefix cache keeps the keys and values of prompts that
begin alike (instructions, history, passages). One merged model per pipeline: with adapters
switched at run time, that cache leaks one adapter's states into another's answers.

Prompts go in as token ids of our own tokenizer and answers come out as ids; a tokenizer inside
a GGUF file is never used, so control tokens cannot come from a customer's text.
https://openvinotoolkit.github.io/openvino.genai/
"""

from __future__ import annotations

import logging
import queue
import secrets
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatbot.answering.base_model import prepare_base_model
from chatbot.answering.engine import EngineFailed
from chatbot.answering.openvino_network import prepare_network
from chatbot.answering.openvino_process import PipelineOptions, WorkerProcess
from chatbot.answering.prompt import check_tokenizer, encode
from chatbot.answering.served import model_version, resolve_adapter
from chatbot.answering.tokens import abstention_token, beginnings, load_tokenizer, stop_ids
from chatbot.answering.worker import IncrementalText, Job, ThreadedEngine
from chatbot.errors import DeskgateError, SetupError
from chatbot.settings import Settings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

logger = logging.getLogger(__name__)

STALL_S = 60.0
"""A worker that works on something and says nothing for so long hangs, and is replaced."""

LONGEST_PAUSE_S = 30.0
"""Between attempts to start a worker again."""


@dataclass(eq=False)
class _Running:
    job: Job
    text: IncrementalText


class OpenVINOEngine(ThreadedEngine):
    """``model``: a folder of ``prepare_network`` or a file of ``write_gguf``; ``tokenizer``: the
    one of its base.

    Two threads: one tokenises requests and sends them to the worker process, one listens.
    """

    name = "openvino"
    together = 8

    def __init__(
        self,
        model: Path,
        tokenizer: PreTrainedTokenizerBase,
        stops: Sequence[int],
        model_version: str,
        max_waiting: int = 32,
        options: PipelineOptions | None = None,
    ) -> None:
        self.broken: str | None = None
        self._tokenizer = tokenizer
        self._abstention = abstention_token(tokenizer)
        self._options = options or PipelineOptions()
        start = partial(WorkerProcess, model, stops, beginnings(tokenizer))
        try:
            self._process = start(self._options)
        except SetupError as error:
            # A virtual machine may promise bfloat16 and hide it from the kernels.
            logger.warning("answers are computed in float32, which is slower: %s", error.detail)
            self._options = replace(self._options, single=True)
            self._process = start(self._options)
        self._start = partial(start, self._options)
        self._running: dict[int, _Running] = {}
        self._number = 0
        self._heard = time.monotonic()
        self._listener = threading.Thread(target=self._listen, name="answer-tokens", daemon=True)
        super().__init__(model_version, max_waiting)
        self._listener.start()

    @classmethod
    def from_settings(
        cls, settings: Settings, options: PipelineOptions | None = None
    ) -> OpenVINOEngine:
        """Prepares the base model and the merged file if needed. Raises SetupError."""
        base = prepare_base_model(settings)
        adapter = resolve_adapter(settings)
        network = prepare_network(base, adapter, settings.data_dir)
        tokenizer = load_tokenizer(base)
        check_tokenizer(tokenizer)
        return cls(
            network,
            tokenizer,
            stop_ids(base, tokenizer),
            model_version(base, adapter),
            settings.engine_queue,
            options or PipelineOptions(settings.model_threads),
        )

    @property
    def pid(self) -> int:
        """The worker process, whose memory counts to the server's."""
        return self._process.pid

    def _work(self) -> None:
        while True:
            idle, job = False, None
            try:
                job = self._jobs.get(timeout=STALL_S / 4)
            except queue.Empty:
                idle = True
            self._watch()
            if idle:
                continue
            if job is None:
                break
            if job.over:
                self._drop(job)
            else:
                self._send(job)
        self._process.stop()
        self._listener.join()

    def _abandon(self, job: Job) -> None:
        super()._abandon(job)
        if not job.finished:
            self._jobs.put(job)  # for _drop, on the thread that sends

    def _drop(self, job: Job) -> None:
        """Nobody waits for it any more: the worker need not write it."""
        for number, running in list(self._running.items()):
            if running.job is job:
                with suppress(OSError, ValueError):  # the worker has just ended
                    self._process.send({"cancel": number})
                self._leave(number, None)
        self._finish(job, None)

    def _send(self, job: Job) -> None:
        request = job.request
        try:
            ids = encode(self._tokenizer, request.segments, request.prefix)
        except (ValueError, DeskgateError) as error:
            self._finish(job, error)
            return
        room = 1 if job.weighs else request.max_new_tokens
        proposed = 0 if job.weighs else self._options.proposed
        if len(ids) + room + proposed > self._options.cache_tokens:
            cache = self._options.cache_tokens
            failed = EngineFailed(f"{len(ids)} tokens do not fit into the KV cache of {cache}")
            self._finish(job, failed)
            return
        seed = secrets.randbits(31) if request.seed is None else request.seed
        with self._lock:
            self._number += 1
            number = self._number
            if not self._running:
                self._heard = time.monotonic()  # it had nothing to say until now
            self._running[number] = _Running(job, IncrementalText(self._tokenizer))
        try:
            wanted: dict[str, Any] = {"id": number, "ids": ids}
            if job.weighs:
                wanted |= {"weigh": self._abstention}
            else:
                wanted |= {"max": room, "temperature": request.temperature, "seed": seed}
                if request.answers:
                    wanted |= {"but": self._abstention}
            self._process.send(wanted)
        except (OSError, ValueError) as error:  # ValueError: its input is closed already
            self._leave(number, error)

    def _watch(self) -> None:
        if self._running and time.monotonic() - self._heard > STALL_S:
            logger.error("the answer process has said nothing for %g s; it is killed", STALL_S)
            self._process.kill()

    def _listen(self) -> None:
        pause = 1.0
        while True:
            for event in self._process.events():
                self._heard, self.broken, pause = time.monotonic(), None, 1.0
                try:
                    self._hear(event)
                except Exception as error:  # noqa: BLE001 - nobody else would listen
                    self._leave(event.get("id", -1), error)
            if not self._closed:
                self.broken = "the answer process ended and is being started again"
            for number in list(self._running):
                self._leave(number, EngineFailed("the answer process ended"))
            if self._closed:
                return
            self._process.kill()  # gone already, or without its pipe of no use
            logger.error("the answer process ended by itself; another one is started")
            try:
                self._process = self._start()
                self.broken = None
            except Exception as error:  # noqa: BLE001 - also where memory is short: tried again
                self.broken = error.detail if isinstance(error, SetupError) else str(error)
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)
            if self._closed:  # meanwhile; the sender has stopped the old process only
                self._process.stop()

    def _hear(self, event: dict[str, Any]) -> None:
        number = event["id"]
        running = self._running.get(number)
        if running is None:
            return  # cancelled a moment ago
        if "share" in event:
            running.job.doubt = event["share"]
        for token in event.get("tokens", ()):
            if piece := running.text.add(token):
                running.job.put(piece)
        if "error" in event:
            logger.error("the answer model failed: %s", event["error"])
            self._leave(number, EngineFailed(f"the answer model failed: {event['error']}"))
        elif event.get("end"):
            self._leave(number, None)

    def _leave(self, number: int, error: Exception | None) -> None:
        with self._lock:
            running = self._running.pop(number, None)
        if running is not None:
            self._finish(running.job, error)
