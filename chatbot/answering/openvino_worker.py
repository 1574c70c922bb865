"""The process that decodes: ``python -m chatbot.answering.openvino_worker FILE OPTIONS``.

A process of its own, because ``ContinuousBatchingPipeline.step`` keeps Python's interpreter lock
while it computes: in the server it would stop the event loop for each prompt. It also gives all
memory back when it ends, and a crash takes no conversation with it.

One JSON object a line. In: ``{"id", "ids", "max", "temperature", "seed"}``, or with ``"weigh"`` in
place of the temperature for how likely that token is to come next; ``{"cancel": id}``; the end of
the input ends the process. Out: ``{"ready": …}`` once, then ``{"id", "tokens"}``, with ``"end":
true`` on the last line of a request or ``"error"`` instead; for what was weighed also ``"share"``
and ``"other"``, the likeliest other token.
"""

from __future__ import annotations

import json
import math
import os
import queue
import signal
import sys
import threading
from contextlib import suppress
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


WEIGHED = 8
"""The likeliest next tokens are told by a beam search of one step, as many as it has beams; the
pipeline gives no other access to them. One that is not among eight is as good as impossible."""


class Batch:
    """The requests that are decoded together. ``say`` takes the objects that go out."""

    def __init__(self, pipeline: Any, stops: set[int], say: Any) -> None:
        self.pipeline = pipeline
        self._stops = stops
        self._say = say
        self._handles: dict[int, Any] = {}
        self._weighed: dict[int, int] = {}

    @property
    def busy(self) -> bool:
        return bool(self._handles) or bool(self.pipeline.has_non_finished_requests())

    def take(self, message: dict[str, Any]) -> None:
        if "cancel" in message:
            self._weighed.pop(message["cancel"], None)
            handle = self._handles.pop(message["cancel"], None)
            if handle is not None:
                handle.cancel()
            return
        openvino = import_openvino()

        ids = openvino.Tensor(np.array([message["ids"]], dtype=np.int64))
        number = int(message["id"])
        try:
            config = _generation_config(message, self._stops)
            if "weigh" in message:
                self._weighed[number] = int(message["weigh"])
            self._handles[number] = self.pipeline.add_request(number, ids, config)
        except RuntimeError as error:
            self._say({"id": number, "error": str(error)})

    def step(self) -> None:
        self.pipeline.step()
        for number in list(self._handles):
            self._read(number)

    def _read(self, number: int) -> None:
        from openvino_genai import GenerationStatus

        if number in self._weighed:
            return self._read_weighed(number)
        handle = self._handles[number]
        tokens: list[int] = []
        while handle.can_read():
            (output,) = handle.read().values()
            if not all(math.isfinite(score) for score in output.generated_log_probs):
                handle.cancel()
                return self._end(number, tokens, "the model's scores are not finite numbers")
            tokens += [token for token in output.generated_ids if token not in self._stops]
        status = handle.get_status()
        if status == GenerationStatus.IGNORED:
            return self._end(number, tokens, "the prompt does not fit into the KV cache")
        if status != GenerationStatus.RUNNING:
            return self._end(number, tokens)
        if tokens:
            self._say({"id": number, "tokens": tokens})
        return None

    def _read_weighed(self, number: int) -> None:
        from openvino_genai import GenerationStatus

        status = self._handles[number].get_status()
        if status == GenerationStatus.RUNNING:
            return None
        if status == GenerationStatus.IGNORED:
            return self._end(number, [], "the prompt does not fit into the KV cache")
        wanted = self._weighed[number]
        shares = {
            output.generated_ids[0]: math.exp(output.generated_log_probs[0])
            for output in self._handles[number].read().values()
            if output.generated_ids
        }
        if not shares or not all(math.isfinite(share) for share in shares.values()):
            return self._end(number, [], "the model's scores are not finite numbers")
        share = min(1.0, shares.pop(wanted, 0.0))
        other = max(shares, key=lambda token: shares[token], default=-1)
        return self._end(number, [], share=share, other=other)

    def _end(self, number: int, tokens: list[int], error: str | None = None, **more: float) -> None:
        del self._handles[number]
        self._weighed.pop(number, None)
        ending = {"error": error} if error else {"end": True}
        self._say({"id": number, "tokens": tokens, **ending, **more})


def load_pipeline(path: str, options: dict[str, Any]) -> Any:
    """A ``ContinuousBatchingPipeline`` on the CPU with a bounded KV cache."""
    import_openvino()  # before what builds on it
    import openvino_genai as genai

    scheduler = genai.SchedulerConfig()
    scheduler.enable_prefix_caching = True
    scheduler.num_kv_blocks = max(1, int(options["cache_tokens"]) // BLOCK_TOKENS)
    scheduler.max_num_batched_tokens = int(options["step_tokens"])
    properties = {"CPU_RUNTIME_CACHE_CAPACITY": SHAPES_KEPT, **options["properties"]}
    return genai.ContinuousBatchingPipeline(path, scheduler, "CPU", properties)


def warm(batch: Batch, path: str) -> None:
    """One request, at which the weights are packed; then their file is out of memory again.

    Raises RuntimeError if the request fails."""

    def hear(event: dict[str, Any]) -> None:
        if "error" in event:
            raise RuntimeError(event["error"])

    silent = Batch(batch.pipeline, set(), hear)
    silent.take({"id": 0, "ids": [*range(WARM_TOKENS)], "max": 2, "temperature": 0, "seed": 0})
    while silent.busy:
        silent.step()
    weights = Path(path) / "openvino_model.bin"
    if weights.exists():
        forget_pages(weights)
    give_back_memory()


def _generation_config(message: dict[str, Any], stops: set[int]) -> Any:
    import openvino_genai as genai

    config = genai.GenerationConfig()
    config.max_new_tokens = message["max"]
    config.apply_chat_template = False
    config.stop_token_ids = stops or {0}  # it wants one even if none is to end the answer
    config.eos_token_id = min(config.stop_token_ids)
    config.ignore_eos = not stops
    config.logprobs = 1  # they show scores that are not finite
    if "weigh" in message:
        config.num_beams = config.num_return_sequences = WEIGHED
        return config
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
        batch = Batch(load_pipeline(path, options), set(options["stops"]), say)
        warm(batch, path)
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
