from __future__ import annotations

import json
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
from tests.finetune.tiny import tiny_base


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


def test_a_model_that_no_prompt_can_be_written_for_stops_the_start(tmp_path: Path) -> None:
    folder = tiny_base(tmp_path / "base")
    tokens = json.loads((folder / "tokenizer.json").read_text())
    for token in tokens["added_tokens"]:
        token["content"] = token["content"].replace("<|im_start|>", "<turn>")
    tokens["model"]["vocab"]["<turn>"] = tokens["model"]["vocab"].pop("<|im_start|>")
    (folder / "tokenizer.json").write_text(json.dumps(tokens))
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(config | {"bos_token": "<turn>"}))
    with pytest.raises(SetupError, match="has no chat template; choose an instruction-tuned"):
        load_model(folder, None)
