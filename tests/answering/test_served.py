from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from chatbot.answering.base_model import base_digest
from chatbot.answering.served import (
    DEFAULT_ADAPTER,
    WEIGHTS,
    AnswerRegistry,
    check_adapter,
    resolve_adapter,
)
from chatbot.errors import Conflict, NotFound, SetupError
from chatbot.settings import load_settings


@pytest.fixture
def small_base(tmp_path: Path) -> Path:
    folder = tmp_path / "base"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"hidden_size": 8}))
    return folder


def adapter_in(
    folder: Path, *, rank: int = 4, says: int = 4, width: int = 8, base: str = ""
) -> Path:
    folder.mkdir(parents=True)
    name = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
    save_file({name: np.ones((rank, width), np.float16)}, folder / WEIGHTS)
    (folder / "adapter_config.json").write_text(json.dumps({"r": says, "peft_type": "LORA"}))
    if base:
        (folder / "manifest.json").write_text(json.dumps({"base_digest": base}))
    return folder


def test_a_registered_version_serves_by_alias_and_rolls_back(
    tmp_path: Path, small_base: Path
) -> None:
    settings = load_settings({}, data_dir=tmp_path / "data")
    registry = AnswerRegistry.of(settings)
    for version in ("v1", "v2"):
        registry.register(version, adapter_in(tmp_path / version), small_base, {"data_sha256": "d"})
        registry.point("serving", version)
    assert registry.versions() == ["v1", "v2"]
    assert resolve_adapter(settings) == registry.root / "v2"
    registry.point("serving", "v1")
    assert resolve_adapter(settings) == registry.root / "v1"
    manifest = registry.manifest("v1")
    assert manifest["base_digest"] == base_digest(small_base)
    assert manifest["rank"] == 4
    assert manifest["data_sha256"] == "d"


def test_a_version_never_changes(tmp_path: Path, small_base: Path) -> None:
    registry = AnswerRegistry(tmp_path / "r")
    adapter = adapter_in(tmp_path / "a")
    registry.register("v1", adapter, small_base, {})
    with pytest.raises(Conflict, match="'v1' is registered already"):
        registry.register("v1", adapter, small_base, {})


def test_an_alias_points_only_to_what_is_there(tmp_path: Path) -> None:
    registry = AnswerRegistry(tmp_path)
    with pytest.raises(NotFound, match="no answer model 'v9'; registered: none"):
        registry.point("serving", "v9")
    with pytest.raises(NotFound):
        registry.path("../escape")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rank": 8}, "weights have rank 8, its adapter_config.json says r=4"),
        ({"width": 16}, "trained for base of another width"),
        ({"base": "123456789abc"}, "trained for base 123456789abc, this is"),
    ],
)
def test_an_adapter_that_does_not_fit_is_named_and_not_registered(
    tmp_path: Path, small_base: Path, options: dict[str, int], message: str
) -> None:
    adapter = adapter_in(tmp_path / "a", **options)  # type: ignore[arg-type]
    with pytest.raises(SetupError, match=message):
        check_adapter(adapter, small_base)
    registry = AnswerRegistry(tmp_path / "r")
    with pytest.raises(SetupError):
        registry.register("v1", adapter, small_base, {})
    assert registry.versions() == []


def test_truncated_and_missing_files_are_named(tmp_path: Path, small_base: Path) -> None:
    adapter = adapter_in(tmp_path / "a")
    content = (adapter / WEIGHTS).read_bytes()
    (adapter / WEIGHTS).write_bytes(content[:-10])
    with pytest.raises(SetupError, match=r"adapter_model\.safetensors is truncated"):
        check_adapter(adapter, small_base)
    (adapter / WEIGHTS).unlink()
    with pytest.raises(SetupError, match=r"holds no adapter_model\.safetensors"):
        check_adapter(adapter, small_base)


def test_weights_without_any_lora_are_named(tmp_path: Path, small_base: Path) -> None:
    adapter = adapter_in(tmp_path / "a")
    save_file({"embed_tokens.weight": np.ones((2, 8), np.float16)}, adapter / WEIGHTS)
    with pytest.raises(SetupError, match=r"no LoRA matrices \(its first tensor: 'embed_tokens"):
        check_adapter(adapter, small_base)


def test_a_rank_is_checked_wherever_the_adapter_sits(tmp_path: Path, small_base: Path) -> None:
    adapter = adapter_in(tmp_path / "a")
    name = "base_model.model.model.layers.0.mlp.down_proj.lora_A.weight"
    save_file({name: np.ones((4, 32), np.float16)}, adapter / WEIGHTS)
    assert check_adapter(adapter, small_base).rank == 4  # down_proj reads something wider
    save_file({name: np.ones((8, 32), np.float16)}, adapter / WEIGHTS)
    with pytest.raises(SetupError, match="weights have rank 8"):
        check_adapter(adapter, small_base)


@pytest.mark.parametrize("content", ["", "[]", '{"serving": "v1"'])
def test_damaged_aliases_are_named_with_the_remedy(tmp_path: Path, content: str) -> None:
    registry = AnswerRegistry(tmp_path)
    (tmp_path / "aliases.json").write_text(content)
    with pytest.raises(SetupError, match=r"aliases\.json cannot be read.*or delete it"):
        registry.aliases()
    (tmp_path / "aliases.json").write_text("{}")
    (tmp_path / "before.json").write_text("[")
    with pytest.raises(SetupError, match=r"before\.json cannot be read.*delete it"):
        registry.roll_back()


def test_the_setting_names_an_adapter_or_none(tmp_path: Path) -> None:
    def resolved(**values: str) -> Path | None:
        return resolve_adapter(load_settings({}, data_dir=tmp_path, **values))

    assert resolved(answer_adapter="none") is None
    assert resolved(answer_model=str(tmp_path)) is None
    assert resolved(answer_adapter=str(tmp_path)) == tmp_path
    assert resolved() in (DEFAULT_ADAPTER, None)
    with pytest.raises(SetupError, match="no answer model 'v7'; registered: none; or give"):
        resolved(answer_adapter="v7")
