"""(a) The engines alone: the time of a prompt, tokens a second for 1, 4 and 8 requests at once.

Each request is one that a real turn made. Here no token ends an answer, so every request writes
the same number; the answers themselves are compared in ``equality``.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import psutil
from transformers import AutoTokenizer

from chatbot.answering.base_model import prepare_base_model
from chatbot.answering.engine import Engine, GenerationRequest
from chatbot.answering.gguf_file import Precision
from chatbot.answering.merged import prepare_merged
from chatbot.answering.openvino_engine import OpenVINOEngine
from chatbot.answering.served import resolve_adapter
from chatbot.answering.transformers_engine import Precision as Kind
from chatbot.answering.transformers_engine import TransformersEngine, load_model
from chatbot.settings import Settings
from tests.bench.figures import percentile

TOGETHER = (1, 4, 8)
PRECISIONS: tuple[Precision, ...] = ("f16", "q8_0", "q4_1")
KINDS: tuple[Kind, ...] = ("float32", "bfloat16")


async def measure(engine: Engine, requests: list[GenerationRequest], tokens: int) -> dict[str, Any]:
    """Median seconds to the first token of a prompt that is new and of one that is known, and
    tokens a second."""
    asked = [replace(r, max_new_tokens=tokens, accepted=True, deadline_s=900) for r in requests]
    found: dict[str, Any] = {}
    for name in ("first_token_s", "first_token_again_s"):
        firsts = [(await _write(engine, replace(r, max_new_tokens=2)))[0] for r in asked[:9]]
        found[name] = round(percentile(firsts[1:], 0.5), 3)
    for people in TOGETHER:
        group = [asked[n % len(asked)] for n in range(people)]
        started = time.perf_counter()
        written = await asyncio.gather(*(_write(engine, request) for request in group))
        seconds = time.perf_counter() - started
        found[f"tokens_per_s_{people}"] = round(sum(count for _, count in written) / seconds, 1)
    return found


async def _write(engine: Engine, request: GenerationRequest) -> tuple[float, int]:
    """Seconds to the first piece, and pieces: English has one for each token."""
    started, first, count = time.perf_counter(), 0.0, 0
    async for _ in engine.stream(request):
        first = first or time.perf_counter() - started
        count += 1
    return first, count


def compare(settings: Settings, requests: list[GenerationRequest], tokens: int) -> dict[str, Any]:
    """OpenVINO at three precisions and transformers at two, each closed before the next loads."""
    base, adapter = prepare_base_model(settings), resolve_adapter(settings)
    tokenizer: Any = AutoTokenizer.from_pretrained(base)
    found: dict[str, Any] = {}
    for precision in PRECISIONS:
        gguf = prepare_merged(base, adapter, settings.data_dir, precision)
        started = time.perf_counter()
        openvino = OpenVINOEngine(gguf, tokenizer, (), precision)
        found[f"openvino {precision}"] = {
            "load_s": round(time.perf_counter() - started, 1),
            "file_mb": round(gguf.stat().st_size / 1e6),
            "rss_mb": round(psutil.Process(openvino.pid).memory_info().rss / 1e6),
            **_run(openvino, requests, tokens),
        }
    for kind in KINDS:
        started = time.perf_counter()
        model, tokenizer = load_model(base, adapter, precision=kind)
        model.generation_config.eos_token_id = tokenizer.eos_token = None
        plain = TransformersEngine(model, tokenizer, kind, lookup=0)
        found[f"transformers {kind}"] = {
            "load_s": round(time.perf_counter() - started, 1),
            **_run(plain, requests, tokens),
        }
        del model, plain
    return found


def _run(engine: Engine, requests: list[GenerationRequest], tokens: int) -> dict[str, Any]:
    async def run() -> dict[str, Any]:
        try:
            return await measure(engine, requests, tokens)
        finally:
            await engine.close()

    return asyncio.run(run())


def limits(settings: Settings, bandwidth_gb_s: float) -> dict[str, float]:
    """Each token of one request reads every weight once (the embedding too: it is tied to the
    output layer), so bandwidth divided by the size of the file is the most there can be."""
    base, adapter = prepare_base_model(settings), resolve_adapter(settings)
    size = prepare_merged(base, adapter, settings.data_dir).stat().st_size
    return {
        "file_gb": round(size / 1e9, 3),
        "tokens_per_s_at_most": round(bandwidth_gb_s * 1e9 / size, 1),
    }
