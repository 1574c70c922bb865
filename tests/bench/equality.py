"""Greedy answers of OpenVINO against those of transformers, request by request."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from transformers import AutoTokenizer

from chatbot.answering.base_model import prepare_base_model
from chatbot.answering.engine import Engine, GenerationRequest
from chatbot.answering.openvino_engine import OpenVINOEngine
from chatbot.answering.served import resolve_adapter
from chatbot.answering.tokens import stop_ids
from chatbot.answering.transformers_engine import TransformersEngine, load_model
from chatbot.settings import Settings
from tests.bench.engines import models


def equal_answers(settings: Settings, requests: list[GenerationRequest]) -> dict[str, Any]:
    """Shares of answers that are equal to the last letter, all requests asked together (which
    is the harder case: sums are made in another order). The reference is float32."""
    base, adapter = prepare_base_model(settings), resolve_adapter(settings)
    model, tokenizer = load_model(base, adapter, precision="float32")
    reference = _answers(TransformersEngine(model, tokenizer, "float32"), requests)
    del model
    found: dict[str, Any] = {"requests": len(requests), "different": {}}
    tokenizer = AutoTokenizer.from_pretrained(base)
    for precision, served in models(base, adapter, settings.data_dir):
        engine = OpenVINOEngine(served, tokenizer, stop_ids(base, tokenizer), precision)
        answers = _answers(engine, requests)
        pairs = list(zip(reference, answers, strict=True))
        found[f"equal_{precision}"] = round(sum(a == b for a, b in pairs) / len(pairs), 4)
        found["different"][precision] = [pair for pair in pairs if pair[0] != pair[1]]
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
