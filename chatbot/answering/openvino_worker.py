"""The process that decodes: ``python -m chatbot.answering.openvino_worker FILE OPTIONS``.

A process of its own, because ``ContinuousBatchingPipeline.step`` keeps Python's interpreter lock
while it computes: in the server it would stop the event loop for each prompt. It also gives all
memory back when it ends, and a crash takes no conversation with it.

One JSON object a line. In: ``{"id", "ids", "max", "temperature", "seed"}``, with ``"but"`` for a
token that the answer must not begin with; ``{"id", "ids", "weigh"}`` for how likely that token is
to come next; ``{"cancel": id}``; the end of the input ends the process. Out: ``{"ready": …}``
once, then ``{"id", "tokens"}``, with ``"end": true`` on the last line of a request or ``"error"``
instead, for what was weighed also ``"share"``.

A request waits until the KV cache has room for the whole of it. The pipeline takes more, and puts
one aside when the cache is full; with prompt lookup that one then comes back with tokens that are
none (-1), or ends the process (``sampler.cpp``: "get_max_new_tokens() >= …"), or hangs.

Prompt lookup: answers copy from their passages, so the words that followed the last few tokens
earlier on are proposed, and checked in one step. One answer alone takes 9 steps instead of 29.
"""

from __future__ import annotations

import json
import math
import os
import queue
import signal
import sys
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from knowledge_base.mapped import forget_pages, give_back_memory, hold_little_memory
from knowledge_base.quiet import import_openvino

BLOCK_TOKENS = 32
"""Tokens in one block of the KV cache; fixed by the CPU plugin."""

WARM_TOKENS = 64  # enough rows for the kernels of a prompt

SHAPES_KEPT = "32"
"""Prepared layers that the CPU plugin keeps, each for one number of tokens. A prompt is seldom as
long as another, so more are of no use: with its own 5,000 the process grew by 0.35 MB a step, by
150 MB after 400 prompts, at the same speed. Only together with ``mapped.KERNELS_KEPT`` it stays as
it is: what one of the two caches forgets, the other holds."""

ALIKE = 3
"""The longest end of the answer that is looked up in the prompt."""


class Batch:
    """The requests that are decoded together, and those that wait, in the order in which they came.
    ``say`` takes the objects that go out."""

    def __init__(self, pipeline: Any, options: dict[str, Any], say: Any) -> None:
        self.pipeline = pipeline
        self._stops = set(options["stops"])
        self._beginnings = set(options["beginnings"])
        self._proposed = int(options["proposed"])
        self._say = say
        self._waiting: deque[dict[str, Any]] = deque()
        self._open: dict[int, _Request] = {}
        self._free = max(1, int(options["cache_tokens"]) // BLOCK_TOKENS)
        self._given_back = 0  # blocks that the pipeline gives up within the next step
        self._added = 0

    @property
    def busy(self) -> bool:
        held = self._open or self._waiting or self._given_back
        return bool(held) or bool(self.pipeline.has_non_finished_requests())

    def take(self, message: dict[str, Any]) -> None:
        if "cancel" not in message:
            self._waiting.append(message)
            self._admit()
            return
        number = message["cancel"]
        self._waiting = deque(other for other in self._waiting if other["id"] != number)
        request = self._open.pop(number, None)
        if request is not None:
            request.handle.cancel()
            self._given_back += request.blocks

    def step(self) -> None:
        leaving, self._given_back = self._given_back, 0
        if self.pipeline.has_non_finished_requests():
            self.pipeline.step()
        self._free += leaving
        for number, request in list(self._open.items()):
            self._read(number, request)
        self._admit()

    def _admit(self) -> None:
        """Hands over those that wait, as far as the cache has room for their whole answers."""
        while self._waiting:
            message = self._waiting[0]
            blocks = self._blocks(message)
            if self._open and blocks > self._free:
                return
            self._waiting.popleft()
            number = int(message["id"])
            try:
                self._open[number] = _Request(message, self._add(message), blocks)
                self._free -= blocks
            except RuntimeError as error:
                self._say({"id": number, "error": str(error)})

    def _blocks(self, message: dict[str, Any]) -> int:
        written = 1 if "weigh" in message else message["max"] + self._proposed
        return math.ceil((len(message["ids"]) + written) / BLOCK_TOKENS)

    def _add(self, message: dict[str, Any]) -> Any:
        """Its handle. Raises RuntimeError."""
        openvino = import_openvino()

        ids = openvino.Tensor(np.array([message["ids"]], dtype=np.int64))
        config = _generation_config(message, self._stops, self._beginnings)
        if self._proposed:
            config.num_assistant_tokens, config.max_ngram_size = self._proposed, ALIKE
        self._added += 1
        return self.pipeline.add_request(self._added, ids, config)

    def _read(self, number: int, request: _Request) -> None:
        from openvino_genai import GenerationStatus

        handle = request.handle
        raw: list[int] = []
        while handle.can_read():
            (output,) = handle.read().values()
            scores = output.generated_log_probs
            if not all(math.isfinite(score) for score in scores):
                handle.cancel()
                return self._end(number, [], "the model's scores are not finite numbers")
            if min(output.generated_ids, default=0) < 0:
                handle.cancel()
                return self._end(number, [], "the pipeline wrote what is no token")
            raw += output.generated_ids
            if "weigh" in request.message:
                chosen = (output.generated_ids[0], scores[0])
                share = math.exp(chosen[1]) if chosen[0] == request.message["weigh"] else 0.0
                return self._end(number, [], share=min(1.0, share))
        request.written += raw
        tokens = [token for token in raw if token not in self._stops]
        status = handle.get_status()
        if status == GenerationStatus.IGNORED:
            return self._end(number, tokens, "the prompt does not fit into the KV cache")
        try:
            unfinished = status == GenerationStatus.RUNNING or self._goes_on(request)
        except RuntimeError as error:
            return self._end(number, tokens, str(error))
        if not unfinished:
            return self._end(number, tokens)
        if tokens:
            self._say({"id": number, "tokens": tokens})
        return None

    def _goes_on(self, request: _Request) -> bool:
        """Whether it ended only because it came, later on, to the token that it must not begin
        with; it then continues. Raises RuntimeError."""
        message, written = request.message, request.written
        room = message["max"] - len(written)
        if "but" not in message or room < 1 or written[-1:] != [message["but"]]:
            return False
        rest = {**message, "ids": message["ids"] + written, "max": room}
        del rest["but"]
        request.message, request.written, request.handle = rest, [], self._add(rest)
        return True

    def _end(self, number: int, tokens: list[int], error: str | None = None, **more: float) -> None:
        self._given_back += self._open.pop(number).blocks
        ending = {"error": error} if error else {"end": True}
        self._say({"id": number, "tokens": tokens, **ending, **more})


@dataclass
class _Request:
    message: dict[str, Any]
    handle: Any
    blocks: int
    """Of the KV cache, kept for it until it ends."""
    written: list[int] = field(default_factory=list)


def load_pipeline(path: str, options: dict[str, Any]) -> Any:
    """A ``ContinuousBatchingPipeline`` on the CPU with a bounded KV cache."""
    import_openvino()  # before what builds on it
    import openvino_genai as genai

    scheduler = genai.SchedulerConfig()
    scheduler.enable_prefix_caching = True
    scheduler.num_kv_blocks = max(1, int(options["cache_tokens"]) // BLOCK_TOKENS)
    scheduler.max_num_batched_tokens = int(options["step_tokens"])
    properties = {"CPU_RUNTIME_CACHE_CAPACITY": SHAPES_KEPT, **options["properties"]}
    if options["proposed"]:
        properties["prompt_lookup"] = True
    return genai.ContinuousBatchingPipeline(path, scheduler, "CPU", properties)


def warm(batch: Batch, path: str, options: dict[str, Any]) -> None:
    """One request, at which the weights are packed; then their file is out of memory again.

    Raises RuntimeError if the request fails."""

    def hear(event: dict[str, Any]) -> None:
        if "error" in event:
            raise RuntimeError(event["error"])

    silent = Batch(batch.pipeline, {**options, "stops": (), "beginnings": ()}, hear)
    silent.take({"id": 0, "ids": [*range(WARM_TOKENS)], "max": 2, "temperature": 0, "seed": 0})
    while silent.busy:
        silent.step()
    weights = Path(path) / "openvino_model.bin"
    if weights.exists():
        forget_pages(weights)
    give_back_memory()


def _generation_config(message: dict[str, Any], stops: set[int], beginnings: set[int]) -> Any:
    """The pipeline tells no probabilities but those of the tokens that it chose, and forbids none
    but those that end an answer, for as long as that must not end. So what must not come first is
    named among these; and where one token is weighed all other beginnings are."""
    import openvino_genai as genai

    config = genai.GenerationConfig()
    config.apply_chat_template = False
    config.logprobs = 1  # of the model, before anything is forbidden; infinite ones are found
    ends = stops or {0}  # it wants one even if none is to end the answer
    config.eos_token_id = min(ends)
    if "weigh" in message:
        config.max_new_tokens = config.min_new_tokens = 1
        config.stop_token_ids = (beginnings | ends) - {message["weigh"]}
        return config
    config.max_new_tokens = message["max"]
    config.stop_token_ids = ends
    config.ignore_eos = not stops
    if "but" in message:
        config.min_new_tokens = 1
        config.stop_token_ids = ends | {message["but"]}
    config.do_sample = message["temperature"] > 0
    if config.do_sample:
        config.temperature = message["temperature"]
        config.rng_seed = message["seed"]
    return config


def serve(path: str, options: dict[str, Any], source: IO[bytes], target: IO[bytes]) -> None:
    def say(event: dict[str, Any]) -> None:
        target.write(json.dumps(event).encode() + b"\n")

    inbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    def listen() -> None:
        for line in source:
            inbox.put(line)
        inbox.put(None)

    threading.Thread(target=listen, daemon=True).start()
    try:
        batch = Batch(load_pipeline(path, options), options, say)
        warm(batch, path, options)
    except RuntimeError as error:
        say({"ready": False, "error": str(error)})
        target.flush()
        return
    say({"ready": True})
    while True:
        target.flush()
        while not (batch.busy and inbox.empty()):
            line = inbox.get()
            if line is None:
                return
            batch.take(json.loads(line))
        batch.step()


def main() -> None:
    hold_little_memory()
    # What libraries print must not end up among the answers.
    target = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends us
    with suppress(BrokenPipeError):  # the server has gone
        serve(sys.argv[1], json.loads(sys.argv[2]), sys.stdin.buffer, target)
    sys.stderr.flush()
    os._exit(0)  # skips the destructors of requests that nobody waits for


if __name__ == "__main__":
    main()
