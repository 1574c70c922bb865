from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from safetensors.numpy import save_file
from typer.testing import CliRunner

from chatbot.answering.served import WEIGHTS, resolve_adapter
from chatbot.errors import BadInput, Conflict
from chatbot.settings import load_settings
from finetune.answers_cli import prepare_command
from finetune.answers_rows import read_rows
from finetune.promotion_cli import list_command, promote_command, rollback_command

app = typer.Typer()
app.command("prepare")(prepare_command)
app.command("promote")(promote_command)
app.command("rollback")(rollback_command)
app.command("list")(list_command)


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception is not None:
        raise result.exception
    return result.output


def test_prepare_writes_rows_and_a_report(tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    counts = ("--synthetic", "5", "--company-copies", "0", "--centre-copies", "0")
    said = run("prepare", "--out", out, *counts, "--data-dir", tmp_path)
    report = json.loads(said[said.index("{") :])
    assert report["rows"] == len(read_rows([out])) >= 25
    assert 0 < report["abstain"] < report["rows"]


def test_pairs_of_answers_come_from_the_desk_alone(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="--from-desk"):
        run("prepare", "--out", tmp_path / "a.jsonl", "--preferences", tmp_path / "b.jsonl")


def test_promote_serves_and_rollback_serves_what_was_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, adapter = tmp_path / "base", tmp_path / "adapter"
    base.mkdir()
    (base / "config.json").write_text(json.dumps({"hidden_size": 8}))
    adapter.mkdir()
    name = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
    save_file({name: np.ones((4, 8), np.float16)}, adapter / WEIGHTS)
    (adapter / "adapter_config.json").write_text(json.dumps({"r": 4}))
    monkeypatch.setenv("CHATBOT_ANSWER_MODEL", str(base))
    place = ("--data-dir", tmp_path / "data")
    settings = load_settings(data_dir=tmp_path / "data")

    assert "the default adapter is serving" in run("list", *place)
    with pytest.raises(Conflict, match="nothing to roll back to"):
        run("rollback", *place)
    for version in ("v1", "v2"):
        run("promote", adapter, "--as", version, "--override", "not a real model", *place)
    assert "v2  rank 4  (serving)" in run("list", *place)
    assert "serving: v1 (before: v2)" in run("rollback", *place)
    path = resolve_adapter(settings)
    assert path is not None
    assert path.name == "v1"
