"""The network that is served: whole, small in memory, made again, or replaced by the GGUF file."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from chatbot.answering.engine import GenerationRequest
from chatbot.answering.openvino_engine import OpenVINOEngine
from chatbot.answering.openvino_network import NETWORK, prepare_network
from chatbot.answering.prompt import build_segments
from chatbot.settings import Settings
from chatbot.types import Passage

WEIGHTS_MB = 269
"""Of the answer model in half precision."""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory, base: Path) -> Path:
    """A llama model of one layer with the real tokenizer."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    config = LlamaConfig(
        vocab_size=49152,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        eos_token_id=2,
        tie_word_embeddings=True,
    )
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (folder / name).write_bytes((base / name).read_bytes())
    return folder


def test_it_is_made_once_and_again_when_damaged(
    tiny: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = prepare_network(tiny, None, tmp_path)
    written = (made / NETWORK).stat().st_ino
    assert prepare_network(tiny, None, tmp_path) == made
    assert (made / NETWORK).stat().st_ino == written
    weights = made / "openvino_model.bin"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert prepare_network(tiny, None, tmp_path) == made
    assert "is not as it was written" in caplog.text
    assert not list((tmp_path / "models" / "merged").glob("*.gguf")), "only a step on the way"


def test_where_it_cannot_be_made_the_gguf_file_serves_and_the_log_says_so(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(command: list[str], **_: Any) -> None:
        raise subprocess.CalledProcessError(1, command, stderr="no such option")

    monkeypatch.setattr("chatbot.answering.openvino_network.subprocess.run", fails)
    served = prepare_network(tiny, None, tmp_path)
    assert served.suffix == ".gguf"
    assert "served from GGUF, with more memory: no such option" in caplog.text
    left = sorted(path.name for path in served.parent.glob("[!.]*"))
    assert left == [served.name, f"{served.stem}.json"]


async def test_weights_are_in_memory_about_once(
    settings: Settings, passages: list[Passage]
) -> None:
    """OpenVINO keeps three copies of what it reads from GGUF, two of them in float32."""
    engine = OpenVINOEngine.from_settings(settings)
    request = GenerationRequest(
        build_segments("Larkmoor", passages, (), "How long can I return a jacket?"),
        max_new_tokens=8,
    )
    try:

        async def answer() -> str:
            return "".join([piece async for piece in engine.stream(request)])

        await asyncio.gather(*(answer() for _ in range(4)))
        resident = psutil.Process(engine.pid).memory_info().rss / 1e6
    finally:
        await engine.close()
    assert resident < 2.2 * WEIGHTS_MB
