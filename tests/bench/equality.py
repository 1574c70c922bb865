"""Greedy answers of OpenVINO against those of transformers, request by request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from chatbot.answering.base_model import prepare_base_model
from chatbot.answering.engine import Engine, GenerationRequest
from chatbot.answering.merged import prepare_merged
from chatbot.answering.openvino_engine import OpenVINOEngine
from chatbot.answering.openvino_network import prepare_network
from chatbot.answering.openvino_process import PipelineOptions
from chatbot.answering.served import resolve_adapter
from chatbot.answering.tokens import stop_ids
from chatbot.answering.transformers_engine import Precision, TransformersEngine, load_model
from chatbot.settings import Settings


def equal_answers(settings: Settings, requests: list[GenerationRequest]) -> dict[str, Any]:
    """Shares of answers that are equal to the last letter, all requests asked together (which
    is the harder case: sums are made in another order). The reference is float32; "served" uses
    the processor's bfloat16 where it has it, as transformers in bfloat16 does beside it."""
    base, adapter = prepare_base_model(settings), resolve_adapter(settings)
    tokenizer: Any = AutoTokenizer.from_pretrained(base)
    network = prepare_network(base, adapter, settings.data_dir)
    eight_bits = prepare_merged(base, adapter, settings.data_dir, "q8_0")
    stops = stop_ids(base, tokenizer)

    def openvino(model: Path, options: PipelineOptions) -> Engine:
        return OpenVINOEngine(model, tokenizer, stops, "equality", options=options)

    def transformers(precision: Precision) -> Engine:
        model, tokenizer = load_model(base, adapter, precision=precision)
        return TransformersEngine(model, tokenizer, precision)

    engines: dict[str, Callable[[], Engine]] = {
        "openvino float32": lambda: openvino(network, PipelineOptions(exact=True)),
        "openvino served": lambda: openvino(network, PipelineOptions()),
        "openvino served again": lambda: openvino(network, PipelineOptions()),
        "openvino q8_0": lambda: openvino(eight_bits, PipelineOptions()),
        "transformers bfloat16": lambda: transformers("bfloat16"),
    }
    reference = _answers(transformers("float32"), requests)
    found: dict[str, Any] = {"requests": len(requests), "different": {}}
    for name, start in engines.items():
        pairs = list(zip(reference, _answers(start(), requests), strict=True))
        found[name] = round(sum(a == b for a, b in pairs) / len(pairs), 3)
        found["different"][name] = [pair for pair in pairs if pair[0] != pair[1]]
    return found


def _answers(engine: Engine, requests: list[GenerationRequest]) -> list[str]:
    async def one(request: GenerationRequest) -> str:
        asked = replace(request, accepted=True, deadline_s=36_000)
        return "".join([piece async for piece in engine.stream(asked)])

    async def run() -> list[str]:
        try:
            return await asyncio.gather(*(one(request) for request in requests))
        finally:
            await engine.close()

    return asyncio.run(run())
