"""The heads are trained from files, with thresholds from dev rows; a broken file is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from chatbot.errors import SetupError
from chatbot.safety.classifiers import WEIGHTS, Heads
from chatbot.safety.screen_encoder import ScreenEncoder
from finetune.screen import train_screen
from finetune.screen_data import read_rows, typed_fast
from finetune.screen_train import Recipe, side_by_side
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
    quick = Recipe(rank=2, epochs=1, ordinary=40)
    metrics = train_screen(small(tmp_path / "data"), tmp_path / "out", 0, encoder, quick)
    heads = Heads.load(tmp_path / "out", encoder=ScreenEncoder(encoder, tmp_path / "out"))
    assert set(heads.thresholds) == {
        "injection",
        "crisis",
        "concern",
        "threatening",
        "harsh",
        "passage",
    }
    assert heads.thresholds["concern"] <= heads.thresholds["crisis"]
    assert metrics["test"]["injection"]["recall"] > 0.3
    written = json.loads((tmp_path / "out" / "metrics.json").read_text("utf-8"))
    assert written["test"] == metrics["test"]
    assert "python -m finetune screen" in (tmp_path / "out" / "card.md").read_text("utf-8")


def test_a_tone_head_that_is_to_stay_stays(tmp_path: Path) -> None:
    encoder = TransformerEncoder()
    served = Heads.load(encoder=ScreenEncoder(encoder))
    quick = Recipe(rank=2, epochs=1, ordinary=40)
    train_screen(small(tmp_path / "data"), tmp_path / "out", 0, encoder, quick, tone=served)
    heads = Heads.load(tmp_path / "out", encoder=ScreenEncoder(encoder, tmp_path / "out"))
    assert (heads.weights["tone"] == served.weights["tone"]).all()
    assert heads.thresholds["threatening"] == served.thresholds["threatening"]
    assert (heads.weights["crisis"] != served.weights["crisis"]).any()


def test_the_rows_of_test_and_training_are_apart() -> None:
    rows = read_rows(DATA)
    train = {row.text for row in rows if row.split == "train"}
    assert {row.text for row in rows if row.split != "train"}.isdisjoint(train)
    families = {row.family for row in rows if row.family and row.split == "train"}
    assert families
    assert families.isdisjoint({row.family for row in rows if row.split != "train"})


def test_rows_typed_fast_are_train_rows_without_signs() -> None:
    rows = read_rows(DATA)
    fast = typed_fast(rows)
    assert 0.1 < len(fast) / sum(row.split == "train" for row in rows) < 0.4
    assert {row.split for row in fast} == {"train"}
    assert not any(set(".,!?;:") & set(row.text) or row.text != row.text.lower() for row in fast)


def test_two_heads_side_by_side_add_up() -> None:
    rng = np.random.default_rng(0)
    shared, adapted, grams = (rng.normal(size=(3, n)).astype(np.float32) for n in (4, 4, 6))
    first = (rng.normal(size=(1, 10)).astype(np.float32), np.array([0.5], np.float32))
    second = (rng.normal(size=(1, 4)).astype(np.float32), np.array([-1.0], np.float32))
    alone = np.concatenate([shared, grams], axis=1) @ first[0].T + first[1]
    beside = adapted @ second[0].T + second[1]
    features = np.concatenate([shared, adapted, grams], axis=1)
    weight, bias = side_by_side(first, second, 0.5, 4)
    assert np.allclose(features @ weight.T + bias, 0.5 * alone + beside, atol=1e-5)
    weight, bias = side_by_side(first, None, 0.5, 4)
    assert np.allclose(features @ weight.T + bias, alone, atol=1e-5)


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
