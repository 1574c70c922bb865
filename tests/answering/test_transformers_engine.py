from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import torch

from chatbot.answering.decoding import Decoder
from chatbot.answering.engine import EngineBusy, EngineFailed, GenerationRequest, load_engine
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


async def test_greedy_answers_are_the_same_again_with_a_warm_cache(
    engine: TransformersEngine, request_: GenerationRequest
) -> None:
    first = await answer(engine, request_)
    assert "60 days" in first
    assert await answer(engine, request_) == first
    assert "<|" not in first


def test_lookup_and_cache_leave_the_tokens_of_plain_decoding(
    base: Path, passages: list[Passage]
) -> None:
    model, tokenizer = load_model(base, None, precision="float32")
    fast, plain = Decoder(model, [2]), Decoder(model, [2], lookup=0)
    for question in ("How long can I return a jacket?", "What does delivery cost?"):
        prompt = encode(tokenizer, build_segments("L", passages, (), question))
        assert list(fast.tokens(prompt, 10)) == list(plain.tokens(prompt, 10))


async def test_a_prefix_is_continued(
    engine: TransformersEngine, request_: GenerationRequest
) -> None:
    whole = await answer(engine, request_)
    start = whole[: whole.index("60 days") + len("60 days")]
    rest = await answer(
        engine, GenerationRequest(request_.segments, prefix=start, max_new_tokens=8)
    )
    assert not rest.startswith(start[:10])
    assert whole.startswith(start + rest[:12])


async def test_every_piece_is_whole_characters(engine: TransformersEngine) -> None:
    segments = build_segments("L", [], (), "Repeat: 日本語 🎒 é")
    request = GenerationRequest(segments, prefix="日本語 🎒 é 日本語 🎒", max_new_tokens=30)
    pieces = [piece async for piece in engine.stream(request)]
    assert pieces
    assert not any("\ufffd" in piece for piece in pieces)


async def test_a_full_queue_is_busy_before_anything_starts(
    engine: TransformersEngine, request_: GenerationRequest
) -> None:
    streams = [engine.stream(request_) for _ in range(2)]
    with pytest.raises(EngineBusy) as busy:
        engine.stream(request_)
    assert busy.value.retry_after_s >= 1
    with pytest.raises(EngineBusy):
        engine.ensure_room()
    accepted = GenerationRequest(request_.segments, max_new_tokens=2, accepted=True)
    assert await answer(engine, accepted)
    for stream in streams:
        await stream.aclose()
    engine.ensure_room()


async def test_closing_the_stream_frees_the_engine_within_a_token(
    engine: TransformersEngine, request_: GenerationRequest
) -> None:
    long = GenerationRequest(request_.segments, max_new_tokens=2000, temperature=1.0, seed=1)
    async with aclosing(engine.stream(long)) as pieces:
        await anext(pieces)
    async with asyncio.timeout(20):
        assert await answer(engine, request_)


async def test_a_deadline_ends_in_a_failure_not_in_half_an_answer(
    engine: TransformersEngine, request_: GenerationRequest
) -> None:
    late = GenerationRequest(request_.segments, max_new_tokens=500, deadline_s=0.05)
    with pytest.raises(EngineFailed, match=r"within 0\.05 s"):
        await answer(engine, late)


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


async def test_a_closed_engine_says_so(parts: tuple[Any, Any], request_: GenerationRequest) -> None:
    engine = TransformersEngine(*parts, "test")
    await engine.close()
    with pytest.raises(EngineFailed, match="closed"):
        engine.stream(request_)


async def test_the_settings_choose_the_engine(settings: Settings) -> None:
    engine = load_engine(settings)
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
