"""What is written for other programs is whole, loads there, and holds nothing else."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from chatbot.errors import Conflict, SetupError
from finetune.export import Format, export
from tests.finetune.test_candidate import small_adapter

pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing.*:FutureWarning")


@pytest.fixture
def adapter(tmp_path: Path, small_base: Path) -> Path:
    folder = small_adapter(small_base, tmp_path / "adapter")
    (folder / "card.md").write_text("# An adapter\n")
    (folder / "run.json").write_text("{}")
    for name in ("logs", "checkpoints"):
        (folder / name).mkdir()
        (folder / name / "large").write_bytes(b"0" * 100)
    return folder


def test_a_merged_model_says_what_base_and_adapter_say(
    tmp_path: Path, small_base: Path, adapter: Path
) -> None:
    out = export(small_base, adapter, Format.MERGED, tmp_path / "out")
    assert out == tmp_path / "out"
    ids = torch.tensor([[5, 6, 7, 8]])
    base = AutoModelForCausalLM.from_pretrained(small_base)
    expected = PeftModel.from_pretrained(base, str(adapter))(input_ids=ids).logits
    merged = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32)
    assert torch.allclose(merged(input_ids=ids).logits, expected, atol=2e-2)
    assert AutoTokenizer.from_pretrained(out)("a").input_ids


def test_an_adapter_is_exported_without_what_its_training_left(
    tmp_path: Path, small_base: Path, adapter: Path
) -> None:
    out = export(small_base, adapter, Format.ADAPTER, tmp_path / "out")
    names = {path.name for path in out.iterdir()}
    assert names == {"adapter_config.json", "adapter_model.safetensors", "card.md"}
    PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(small_base), str(out))


def test_nothing_is_overwritten_and_nothing_exported_without_an_adapter(
    tmp_path: Path, small_base: Path, adapter: Path
) -> None:
    with pytest.raises(Conflict, match="not an empty folder; give a new one"):
        export(small_base, adapter, Format.MERGED, adapter)
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(Conflict, match="not an empty folder"):
        export(small_base, adapter, Format.MERGED, file)
    with pytest.raises(SetupError, match="there is no adapter to export"):
        export(small_base, None, Format.ADAPTER, tmp_path / "out")


def test_a_full_disk_leaves_nothing_torn(tmp_path: Path, small_base: Path, adapter: Path) -> None:
    limit, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, most))  # as a disk that takes no more
    try:
        with pytest.raises(SetupError, match=r"cannot be written.*nothing was exported"):
            export(small_base, adapter, Format.MERGED, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
    assert list((tmp_path / "out").iterdir()) == []
    export(small_base, adapter, Format.MERGED, tmp_path / "out")
