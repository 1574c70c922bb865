"""What fewer bits take away from a training is measured, and said when it is most of it."""

from __future__ import annotations

from pathlib import Path

import gguf
import pytest
import torch
import typer
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM
from typer.testing import CliRunner

from finetune.export import export_command
from finetune.export_rounding import rounding
from tests.finetune.tiny import tiny_base

pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing.*:FutureWarning")


@pytest.fixture
def four_bit_base(tmp_path: Path) -> Path:
    """A base whose matrices lie on the grid of Q4_1, as one that was published so."""
    folder = tiny_base(tmp_path / "base")
    kind = gguf.GGMLQuantizationType.Q4_1
    state = load_file(folder / "model.safetensors")
    for name, value in state.items():
        if value.ndim == 2:
            stored = gguf.dequantize(gguf.quantize(value.numpy(), kind), kind)
            state[name] = torch.from_numpy(stored)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.fixture
def adapter(tmp_path: Path, four_bit_base: Path) -> Path:
    torch.manual_seed(3)
    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(four_bit_base),
        LoraConfig(r=4, target_modules=["q_proj", "v_proj"]),
    )
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=1.2e-3)
    model.save_pretrained(str(tmp_path / "adapter"))
    return tmp_path / "adapter"


def test_a_small_change_is_lost_in_the_grid_that_its_base_lies_on(
    four_bit_base: Path, adapter: Path
) -> None:
    found = {
        form: rounding(four_bit_base, adapter, form) for form in ("f32", "f16", "q8_0", "q4_1")
    }
    assert found["f32"] == 0.0
    assert found["f16"] < found["q8_0"] < found["q4_1"]  # type: ignore[operator]
    assert found["q4_1"] == pytest.approx(1.0, abs=0.3)  # back to the base
    assert rounding(four_bit_base, None, "q4_1") is None


def test_an_export_that_loses_the_training_says_so(
    four_bit_base: Path, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("finetune.export.write_gguf", lambda *_: None)  # no vocabulary of llama's
    monkeypatch.setenv("CHATBOT_ANSWER_MODEL", str(four_bit_base))
    app = typer.Typer()
    app.command()(export_command)
    done = CliRunner().invoke(
        app,
        ["--format", "gguf-q4", "--adapter", str(adapter), "--data-dir",
         str(tmp_path / "data"), "--out", str(tmp_path / "out")],
    )  # fmt: skip
    assert done.exit_code == 0
    assert "gguf-q8_0 keeps the training" in done.stderr
