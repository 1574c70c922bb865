"""The heads are trained from files, with thresholds from dev rows; a broken file is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chatbot.errors import SetupError
from chatbot.safety.classifiers import WEIGHTS, Heads
from finetune.screen import read_rows, train_screen
from knowledge_base.encoder import TransformerEncoder

DATA = Path("finetune/data")


def small(folder: Path) -> Path:
    """A tenth of the real data."""
    for part in ("safety", "screen", "router"):
        (folder / part).mkdir(parents=True)
        for path in (DATA / part).glob("*.jsonl"):
            lines = path.read_text("utf-8").splitlines()
            (folder / part / path.name).write_text("\n".join(lines[::10]) + "\n", "utf-8")
    return folder


def test_a_training_run_writes_heads_that_load_and_says_how_good_they_are(tmp_path: Path) -> None:
    encoder = TransformerEncoder()
    metrics = train_screen(small(tmp_path / "data"), tmp_path / "out", 0, encoder)
    heads = Heads.load(tmp_path / "out", encoder=encoder)
    assert set(heads.thresholds) == {
        "injection",
        "crisis",
        "concern",
        "threatening",
        "passage",
    }
    assert heads.thresholds["concern"] <= heads.thresholds["crisis"]
    assert metrics["test"]["injection"]["recall"] > 0.3
    written = json.loads((tmp_path / "out" / "metrics.json").read_text("utf-8"))
    assert written["test"] == metrics["test"]
    assert "python -m finetune screen" in (tmp_path / "out" / "card.md").read_text("utf-8")


def test_the_rows_of_test_and_training_are_apart() -> None:
    rows = read_rows(DATA)
    train = {row.text for row in rows if row.split == "train"}
    assert {row.text for row in rows if row.split != "train"}.isdisjoint(train)
    families = {row.family for row in rows if row.family and row.split == "train"}
    assert families
    assert families.isdisjoint({row.family for row in rows if row.split != "train"})


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    folder = small(tmp_path)
    (folder / "safety" / "tone.jsonl").write_text('{"text": "x"\n', "utf-8")
    with pytest.raises(SetupError, match=r"tone\.jsonl, line 1"):
        read_rows(folder)


def test_the_committed_heads_keep_what_their_card_promises() -> None:
    metrics = json.loads((WEIGHTS / "metrics.json").read_text("utf-8"))["test"]
    assert metrics["injection"]["false_alarms_on_legit"] <= 0.02
    assert metrics["crisis"]["false_alarms_on_legit"] <= 0.01
    assert metrics["concern"]["recall"] >= metrics["crisis"]["recall"]
