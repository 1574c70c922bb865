"""Merging and GGUF files, against peft and an independent reader of the format."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, GGUFReader, dequantize
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.numpy import load_file, save_file
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from chatbot.answering.gguf_file import Precision, write_gguf
from chatbot.answering.merged import prepare_merged
from chatbot.answering.merging import NotMergeable, merged_weights
from chatbot.errors import SetupError

# Raised inside transformers when peft merges an adapter; nothing of ours uses the old name.
pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")

SHAPE = {
    "vocab_size": 49152,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "eos_token_id": 2,
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory, base: Path) -> Path:
    """A llama model of two layers with the real tokenizer."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    torch.manual_seed(0)
    config = LlamaConfig(**SHAPE, tie_word_embeddings=True)
    LlamaForCausalLM(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(base / name, folder / name)
    return folder


def adapter_for(base: Path, folder: Path, **options: Any) -> Path:
    """A LoRA adapter with random weights, as peft saves it."""
    torch.manual_seed(1)
    settings = {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "k_proj", "down_proj"]}
    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(base), LoraConfig(**settings | options)
    )
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "lora_B" in name:
                value.normal_(0, 0.1)
    model.save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_rslora": True},
        {
            "rank_pattern": {"q_proj": 2},
            "alpha_pattern": {"down_proj": 3, "layers.1.self_attn.q_proj": 1},
        },
    ],
)
def test_the_sum_is_the_one_that_peft_makes(
    tiny: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    adapter = adapter_for(tiny, tmp_path / "adapter", **options)
    model: Any = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny), adapter)
    expected = model.merge_and_unload().state_dict()
    found = dict(merged_weights(tiny, adapter))
    plain = dict(merged_weights(tiny, None))
    changed = [name for name in found if not np.array_equal(found[name], plain[name])]
    assert len(changed) == 6
    for name, value in found.items():
        np.testing.assert_allclose(value, expected[name].numpy(), atol=1e-6)


@pytest.mark.parametrize("options", [{"use_dora": True}, {"modules_to_save": ["norm"]}])
def test_an_adapter_of_another_kind_is_named(
    tiny: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    adapter = adapter_for(tiny, tmp_path / "adapter", **options)
    with pytest.raises(NotMergeable, match="is not a plain LoRA adapter"):
        list(merged_weights(tiny, adapter))


def test_an_adapter_with_no_number_in_it_is_refused(tiny: Path, tmp_path: Path) -> None:
    adapter = adapter_for(tiny, tmp_path / "adapter")
    weights = load_file(adapter / "adapter_model.safetensors")
    next(iter(weights.values()))[0, 0] = np.nan
    save_file(weights, adapter / "adapter_model.safetensors")
    with pytest.raises(SetupError, match="holds NaN or infinity"):
        list(merged_weights(tiny, adapter))


def test_another_reader_of_the_file_computes_the_same(tiny: Path, tmp_path: Path) -> None:
    adapter = adapter_for(tiny, tmp_path / "adapter")
    write_gguf(tiny, adapter, tmp_path / "model.gguf", "f32")
    ids = torch.tensor([[1, 500, 7, 42, 4000, 9]])
    reread = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="model.gguf")
    model: Any = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny), adapter)
    with torch.inference_mode():
        difference = reread(ids).logits - model.merge_and_unload()(ids).logits
    assert float(difference.abs().max()) < 1e-4


def test_biases_of_a_qwen_model_are_written_and_its_rows_stay(tmp_path: Path, base: Path) -> None:
    folder = tmp_path / "qwen"
    torch.manual_seed(0)
    Qwen2ForCausalLM(Qwen2Config(**SHAPE, tie_word_embeddings=False)).save_pretrained(folder)
    shutil.copy(base / "tokenizer.json", folder)
    write_gguf(folder, None, tmp_path / "model.gguf", "f16")
    tensors = {t.name: t for t in GGUFReader(tmp_path / "model.gguf").tensors}
    weights = dict(merged_weights(folder, None))
    for label, name in {
        "blk.1.attn_q.weight": "model.layers.1.self_attn.q_proj.weight",
        "blk.0.attn_k.bias": "model.layers.0.self_attn.k_proj.bias",
        "output.weight": "lm_head.weight",
    }.items():
        found = dequantize(tensors[label].data, tensors[label].tensor_type)
        np.testing.assert_allclose(found, weights[name], atol=1e-3)


@pytest.mark.parametrize(
    ("precision", "kinds", "error"),
    [
        ("f16", {"F16", "F32"}, 1e-3),
        ("q8_0", {"Q8_0", "F32"}, 2e-3),
        ("q4_1", {"Q4_1", "Q8_0", "F32"}, 2e-2),
    ],
)
def test_precisions(
    tiny: Path, tmp_path: Path, precision: Precision, kinds: set[str], error: float
) -> None:
    write_gguf(tiny, None, tmp_path / "m.gguf", precision)
    tensors = {t.name: t for t in GGUFReader(tmp_path / "m.gguf").tensors}
    assert {t.tensor_type.name for t in tensors.values()} == kinds
    assert tensors["output_norm.weight"].tensor_type == GGMLQuantizationType.F32
    stored = tensors["blk.0.ffn_up.weight"]
    expected = dict(merged_weights(tiny, None))["model.layers.0.mlp.up_proj.weight"]
    assert np.abs(dequantize(stored.data, stored.tensor_type) - expected).max() < error


def test_the_tokenizer_inside_names_its_digit_splitting(tiny: Path, tmp_path: Path) -> None:
    write_gguf(tiny, None, tmp_path / "m.gguf", "f16")
    fields = GGUFReader(tmp_path / "m.gguf").fields
    assert fields["tokenizer.ggml.pre"].contents() == "smollm"
    assert fields["tokenizer.ggml.tokens"].contents()[:3] == [
        "<|endoftext|>",
        "<|im_start|>",
        "<|im_end|>",
    ]
    assert len(fields["tokenizer.ggml.tokens"].contents()) == 49152
    assert fields["tokenizer.ggml.eos_token_id"].contents() == 2


def test_a_model_of_another_kind_is_named_and_nothing_stays_behind(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "mamba"}')
    with pytest.raises(NotMergeable, match="is a mamba model; GGUF is written for llama"):
        write_gguf(tmp_path, None, tmp_path / "out" / "m.gguf", "f16")
    assert not list(tmp_path.rglob("*.gguf*"))


def test_the_merged_file_is_made_once_and_again_when_damaged(tiny: Path, tmp_path: Path) -> None:
    made = prepare_merged(tiny, None, tmp_path)
    content = made.read_bytes()
    written = made.stat().st_ino
    assert prepare_merged(tiny, None, tmp_path) == made
    assert made.stat().st_ino == written
    made.write_bytes(content[:-100])
    assert prepare_merged(tiny, None, tmp_path).read_bytes() == content


def test_old_merged_files_are_deleted(tiny: Path, tmp_path: Path) -> None:
    for seed in range(5):
        adapter = adapter_for(tiny, tmp_path / f"adapter{seed}", lora_alpha=seed + 1)
        weights = load_file(adapter / "adapter_model.safetensors")
        weights = {name: value + seed for name, value in weights.items()}
        save_file(weights, adapter / "adapter_model.safetensors")
        newest = prepare_merged(tiny, adapter, tmp_path)
    kept = sorted((tmp_path / "models" / "merged").glob("*.gguf"))
    assert len(kept) == 3
    assert newest in kept
