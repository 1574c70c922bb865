"""(a) The engines alone: the time of a prompt, tokens a second for 1, 4 and 8 requests at once.

Each request is one that a real turn made. Here no token ends an answer, so every request writes
the same number, token by token: what follows an answer's end repeats itself, which prompt lookup
would make too much of. What lookup is worth is told by whole answers a second, with and without;
the answers themselves are compared in ``equality``.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
from transformers import AutoTokenizer

from chatbot.answering.base_model import prepare_base_model
from chatbot.answering.engine import Engine, GenerationRequest
from chatbot.answering.gguf_file import Precision
from chatbot.answering.merged import prepare_merged
from chatbot.answering.openvino_engine import OpenVINOEngine
from chatbot.answering.openvino_network import prepare_network
from chatbot.answering.openvino_process import PipelineOptions
from chatbot.answering.prompt import encode
from chatbot.answering.served import resolve_adapter
from chatbot.answering.tokens import stop_ids
from chatbot.answering.transformers_engine import Precision as Kind
from chatbot.answering.transformers_engine import TransformersEngine, load_model
from chatbot.settings import Settings
from tests.bench.figures import by_several, percentile

TOGETHER = (1, 4, 8)
FULL: Precision = "f16"
QUANTISED: tuple[Precision, ...] = ("q8_0", "q4_1")
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


async def _answers(engine: OpenVINOEngine, requests: list[GenerationRequest]) -> dict[str, float]:
    """Whole answers a second, prompts included; closes the engine. Each round asks what the prefix
    cache has forgotten or never seen."""
    asked = [replace(r, accepted=True, deadline_s=900) for r in requests]
    rounds = [asked[n::2] for n in range(2)]
    found = {}
    try:
        await _write(engine, asked[0])
        for people, group in zip((1, 8), rounds, strict=True):
            started = time.perf_counter()
            await by_several(people, group, lambda request: _write(engine, request))
            found[f"answers_per_s_{people}"] = round(
                len(group) / (time.perf_counter() - started), 2
            )
    finally:
        await engine.close()
    return found


async def _write(engine: Engine, request: GenerationRequest) -> tuple[float, int]:
    """Seconds to the first piece, and pieces: English has one for each token."""
    started, first, count = time.perf_counter(), 0.0, 0
    async for _ in engine.stream(request):
        first = first or time.perf_counter() - started
        count += 1
    return first, count


def compare(
    settings: Settings, requests: list[GenerationRequest], tokens: int, llama: Path | None = None
) -> dict[str, Any]:
    """OpenVINO's network as it serves and GGUF at two precisions, transformers at two, and where
    ``llama`` is a Python with llama-cpp-python, that at three; each is closed before the next
    loads. ``answers``: of what serves."""
    base, adapter = prepare_base_model(settings), resolve_adapter(settings)
    tokenizer: Any = AutoTokenizer.from_pretrained(base)
    found: dict[str, Any] = {}
    for name, model in models(base, adapter, settings.data_dir):
        started = time.perf_counter()
        openvino = OpenVINOEngine(model, tokenizer, (), name, options=PipelineOptions(proposed=0))
        load_s = round(time.perf_counter() - started, 1)
        resident = psutil.Process(openvino.pid)
        found[f"openvino {name}"] = {
            "load_s": load_s,
            "rss_mb": round(resident.memory_info().rss / 1e6),
            **_run(openvino, requests, tokens),
        }
    network = prepare_network(base, adapter, settings.data_dir)
    found["answers"] = {}
    for name, options in (
        ("token by token", PipelineOptions(proposed=0)),
        ("prompt lookup", PipelineOptions()),
    ):
        engine = OpenVINOEngine(
            network, tokenizer, stop_ids(base, tokenizer), name, options=options
        )
        found["answers"][name] = asyncio.run(_answers(engine, requests))
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
    if llama is not None:
        for precision in (FULL, *QUANTISED):
            file = prepare_merged(base, adapter, settings.data_dir, precision)
            found[f"llama.cpp {precision}"] = _llama(llama, file, tokenizer, requests, tokens)
    return found


def _llama(
    python: Path, file: Path, tokenizer: Any, requests: list[GenerationRequest], tokens: int
) -> dict[str, Any]:
    """``llama_cpp_run`` on the same prompts, with as many threads as there are cores."""
    asked = {
        "model": str(file),
        "prompts": [encode(tokenizer, r.segments, r.prefix) for r in requests[:9]],
        "tokens": tokens,
        "threads": len(os.sched_getaffinity(0)),
    }
    script = Path(__file__).with_name("llama_cpp_run.py")
    done = subprocess.run(
        [python, script], input=json.dumps(asked), capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def models(base: Path, adapter: Path | None, data_dir: Path) -> Iterator[tuple[str, Path]]:
    """What OpenVINO can serve, by precision: the network it does serve, and quantised GGUF."""
    yield "f16", prepare_network(base, adapter, data_dir)
    for precision in QUANTISED:
        yield precision, prepare_merged(base, adapter, data_dir, precision)


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
    network = prepare_network(base, adapter, settings.data_dir)
    size = sum(path.stat().st_size for path in network.glob("*.bin"))
    return {
        "file_gb": round(size / 1e9, 3),
        "tokens_per_s_at_most": round(bandwidth_gb_s * 1e9 / size, 1),
    }
