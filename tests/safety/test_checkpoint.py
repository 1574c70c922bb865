from __future__ import annotations

import json
import logging
import os
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from chatbot.errors import SetupError
from chatbot.safety import checkpoint, toxicity_weights
from chatbot.settings import load_settings
from knowledge_base.encoder import EncoderFiles
from tests.safety import toxicity_model


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A checkpoint as a user might bring it."""
    target = tmp_path / "brought.ckpt"
    shutil.copyfile(toxicity_model.checkpoint(), target)
    return target


def altered(path: Path, key: str, value: torch.Tensor | None) -> None:
    document = torch.load(path, weights_only=True)
    if value is None:
        del document["state_dict"][key]
    else:
        document["state_dict"][key] = value
    torch.save(document, path)


def test_what_is_committed_is_small() -> None:
    assert (checkpoint.WEIGHTS / "delta.safetensors").stat().st_size <= 5_000_000


def test_the_checkpoint_is_assembled_once_with_a_manifest_of_hashes() -> None:
    path = toxicity_model.checkpoint()
    before = path.stat().st_mtime_ns
    manifest = json.loads((path.parent / "manifest.json").read_text())
    assert manifest["sha256"]["model.ckpt"] == checkpoint.file_sha256(path)
    again = checkpoint.prepare_toxicity(load_settings({}, data_dir=toxicity_model.data_dir()))
    assert again == path
    assert path.stat().st_mtime_ns == before


def test_it_loads_with_weights_only_and_has_every_weight() -> None:
    checkpoint.check_document(toxicity_model.checkpoint())


def test_a_tampered_checkpoint_of_ours_is_assembled_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = load_settings({}, data_dir=tmp_path)
    path = checkpoint.prepare_toxicity(settings)
    whole = checkpoint.file_sha256(path)
    os.truncate(path, 1_000_000)
    with caplog.at_level(logging.WARNING):
        again = checkpoint.prepare_toxicity(settings)
    assert checkpoint.file_sha256(again) == whole
    assert "model.ckpt is not as it was written" in caplog.text


def test_a_moved_data_directory_is_noticed(tmp_path: Path) -> None:
    first = checkpoint.prepare_toxicity(load_settings({}, data_dir=tmp_path / "here"))
    (tmp_path / "here").rename(tmp_path / "there")
    second = checkpoint.prepare_toxicity(load_settings({}, data_dir=tmp_path / "there"))
    assert second.parent.name == first.parent.name
    document = torch.load(second, weights_only=True)
    assert document["config"]["arch"]["args"]["model_type"] == str(second.parent)


def test_a_truncated_delta_stops_the_start_and_names_the_file(tmp_path: Path) -> None:
    delta = tmp_path / "delta.safetensors"
    delta.write_bytes((checkpoint.WEIGHTS / "delta.safetensors").read_bytes()[:5000])
    with pytest.raises(SetupError, match=r"delta\.safetensors cannot be read .*finetune toxicity"):
        checkpoint.assemble(delta, EncoderFiles(), tmp_path)


def test_a_delta_without_a_classifier_is_refused(tmp_path: Path) -> None:
    header, factors = toxicity_weights.read_delta(checkpoint.WEIGHTS / "delta.safetensors")
    del factors["classifier.weight"]
    save_file(factors, tmp_path / "headless.safetensors", metadata=header)
    with pytest.raises(SetupError, match="with a classifier"):
        checkpoint.assemble(tmp_path / "headless.safetensors", EncoderFiles(), tmp_path)


def test_another_encoder_than_the_delta_was_trained_on_is_refused(tmp_path: Path) -> None:
    base = Path(EncoderFiles().path)
    other = tmp_path / "other"
    shutil.copytree(base, other)
    weights = load_file(other / "model.safetensors")
    weights["embeddings.LayerNorm.bias"] += 1
    save_file(weights, other / "model.safetensors")
    with pytest.raises(SetupError, match="was trained on an encoder with SHA-256"):
        checkpoint.assemble(
            checkpoint.WEIGHTS / "delta.safetensors", EncoderFiles(str(other)), tmp_path
        )


def test_a_brought_checkpoint_is_copied_privately_and_used(copy: Path, tmp_path: Path) -> None:
    settings = load_settings({}, data_dir=tmp_path / "data", toxicity_model=str(copy))
    path = checkpoint.prepare_toxicity(settings)
    assert path.is_relative_to(tmp_path / "data")
    assert checkpoint.file_sha256(path) == checkpoint.file_sha256(copy)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("classifier.weight", None, r"has no classifier\.weight .*random"),
        ("bert.pooler.dense.bias", None, r"has no bert\.pooler"),
        ("classifier.bias", torch.zeros(7), r"classifier\.bias has shape \(7,\)"),
    ],
)
def test_a_missing_or_misshapen_weight_stops_the_start(
    copy: Path, tmp_path: Path, key: str, value: torch.Tensor | None, message: str
) -> None:
    altered(copy, key, value)
    settings = load_settings({}, data_dir=tmp_path / "data", toxicity_model=str(copy))
    with pytest.raises(SetupError, match=message):
        checkpoint.prepare_toxicity(settings)


class Executed:
    """What a hostile checkpoint would run if it were unpickled freely."""

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, ("executed-by-checkpoint",))


def test_a_checkpoint_with_code_is_never_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"config": Executed(), "state_dict": {}}, tmp_path / "hostile.ckpt")
    settings = load_settings({}, data_dir=tmp_path / "data", toxicity_model="hostile.ckpt")
    with pytest.raises(SetupError, match="holds code"):
        checkpoint.prepare_toxicity(settings)
    assert not (tmp_path / "executed-by-checkpoint").exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 half a zip"])
def test_a_file_that_is_no_checkpoint_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "odd.ckpt").write_bytes(content)
    settings = load_settings(
        {}, data_dir=tmp_path / "data", toxicity_model=str(tmp_path / "odd.ckpt")
    )
    with pytest.raises(SetupError, match=r"odd\.ckpt cannot be read"):
        checkpoint.prepare_toxicity(settings)


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    settings = load_settings({}, data_dir=tmp_path, toxicity_model="/nowhere/x.ckpt")
    with pytest.raises(SetupError, match=r"/nowhere/x\.ckpt is no file"):
        checkpoint.prepare_toxicity(settings)
