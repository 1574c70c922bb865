from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from chatbot.answering.choice import load_engine
from chatbot.answering.decoding import Decoder
from chatbot.answering.engine import EngineFailed, GenerationRequest
from chatbot.answering.prompt import build_segments, encode
from chatbot.answering.transformers_engine import TransformersEngine, load_model
from chatbot.errors import SetupError
from chatbot.settings import Settings, load_settings
from chatbot.types import Passage


@pytest.fixture(scope="module")
def parts(base: Path) -> Iterator[tuple[Any, Any]]:
    yield load_model(base, None)


@pytest.fixture
async def engine(parts: tuple[Any, Any]) -> AsyncIterator[TransformersEngine]:
    engine = TransformersEngine(*parts, "test", max_waiting=2)
    yield engine
    await engine.close()


@pytest.fixture
def request_(passages: list[Passage]) -> GenerationRequest:
    segments = build_segments("Larkmoor", passages[:1], (), "How long can I return a jacket?")
    return GenerationRequest(segments, max_new_tokens=16)


async def answer(engine: TransformersEngine, request: GenerationRequest) -> str:
    return "".join([piece async for piece in engine.stream(request)])


def test_lookup_and_cache_leave_the_tokens_of_plain_decoding(
    base: Path, passages: list[Passage]
) -> None:
    model, tokenizer = load_model(base, None, precision="float32")
    fast, plain = Decoder(model, [2]), Decoder(model, [2], lookup=0)
    for question in ("How long can I return a jacket?", "What does delivery cost?"):
        prompt = encode(tokenizer, build_segments("L", passages, (), question))
        assert list(fast.tokens(prompt, 10)) == list(plain.tokens(prompt, 10))


async def test_sampling_is_repeatable_by_seed(
    engine: TransformersEngine, request_: GenerationRequest
) -> None:
    sampled = GenerationRequest(request_.segments, max_new_tokens=12, temperature=1.0, seed=3)
    assert await answer(engine, sampled) == await answer(engine, sampled)


async def test_scores_that_are_no_numbers_fail_and_leak_nothing(
    base: Path, request_: GenerationRequest
) -> None:
    model: Any
    model, tokenizer = load_model(base, None)
    with torch.no_grad():
        model.get_output_embeddings().weight.fill_(float("nan"))
    engine = TransformersEngine(model, tokenizer, "broken")
    with pytest.raises(EngineFailed, match="NotFinite"):
        await answer(engine, request_)
    await engine.close()


async def test_the_settings_choose_the_engine(settings: Settings) -> None:
    engine = load_engine(settings.model_copy(update={"engine": "transformers"}))
    assert engine.name == "transformers"
    assert engine.model_version.startswith("SmolLM2-135M-Instruct")
    await engine.close()


def test_weights_that_cannot_be_loaded_stop_the_start(tmp_path: Path, base: Path) -> None:
    for path in base.iterdir():
        if path.suffix != ".safetensors":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(SetupError, match="cannot be loaded"):
        load_engine(load_settings({}, data_dir=tmp_path / "d", answer_model=str(tmp_path)))
