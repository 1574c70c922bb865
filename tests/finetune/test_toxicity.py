from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from chatbot.errors import SetupError
from chatbot.safety.calibration import Calibration
from chatbot.types import Side
from finetune.toxicity import train_toxicity
from finetune.toxicity_data import read_training_sets, split_of
from finetune.toxicity_evaluate import evaluate_toxicity, load_evaluated
from knowledge_base.encoder import DEFAULT_ENCODER
from tests.finetune.toxicity_sets import INSULTS, THINGS, TINY, family_row

SPLITS = ("train",) * 6 + ("dev",) * 2 + ("test",) * 2


def write_csv(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    path.parent.mkdir(parents=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sets' files in small, with sentences of our own."""
    root = tmp_path_factory.mktemp("sets")
    rude = [f"You are a {a} {word}" for word in INSULTS for a in ("real", "sad", "big")]
    kind = [f"I like the {a} {word}" for word in THINGS for a in ("real", "sad", "big")]
    both = [(text, 1) for text in rude] + [(text, 0) for text in kind]
    labels = ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate")
    write_csv(
        root / "jigsaw_sixlabel/train.csv",
        [{"comment_text": t, **dict.fromkeys(labels, 0), "toxic": y, "insult": y} for t, y in both],
    )
    fractions = ("obscene_frac", "threat_frac", "identity_attack_frac")
    write_csv(
        root / "toxic_spans_civil/comments_multilabel.csv",
        [
            {
                "comment_id": i,
                "comment_text": f"{t}.",
                "not_toxic_frac": 1 - y,
                "insult_frac": y,
                **dict.fromkeys(fractions, 0),
            }
            for i, (t, y) in enumerate(both)
        ],
    )
    write_csv(
        root / "paradetox/toxic_neutral_pairs.csv",
        [{"toxic": r, "neutral1": k} for r, k in zip(rude, kind, strict=True)],
    )
    write_csv(
        root / "davidson_hate_offensive/labeled_data.csv",
        [
            {
                "count": 3,
                "hate_speech": 3 * y,
                "offensive_language": 0,
                "class": 0 if y else 2,
                "tweet": f"{t} &amp; so on",
            }
            for t, y in both
        ],
    )
    emoji = [
        {"entry_id": i, "matched_id": "", "text": f"{t} 🤡", "type": "derogation", "label_gold": y}
        for i, (t, y) in enumerate(both)
    ]
    write_csv(root / "hatemoji/build_train.csv", emoji)
    (root / "hatemoji/build_validation.csv").write_text(
        "entry_id,text,type,label_gold,matched_id\n"
    )
    for name in ("banking77/train.csv", "clinc150/train.csv"):
        questions = [f"Where is my {thing} order {n}?" for thing in THINGS for n in range(6)]
        write_csv(root / name, [{"text": question} for question in questions])
    bitext = [{"utterance": f"cancel the {thing} {n}"} for thing in THINGS for n in range(6)]
    write_csv(root / "bitext_intent_ner/train.csv", bitext)
    return root


@pytest.fixture(scope="module")
def contrast(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("contrast")
    for name in ("contrast_train", "contrast_dev"):
        rows = [
            {"text": f"{name} your {thing} is rubbish", "labels": {"toxic": 0}, "group": "things"}
            for thing in THINGS
        ]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = [family_row("abuse", word, split) for word, split in zip(INSULTS, SPLITS, strict=True)]
    (folder / "desk_tone_more.jsonl").write_text("".join(lines))
    return folder


def own(folder: Path) -> dict[str, Path]:
    """The project's own rows are those of ``folder``; of articles it has none."""
    return {"contrast": folder, "articles": folder, "centres": folder / "none"}


@pytest.fixture(scope="module")
def trained(
    data_root: Path, contrast: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Mapping[str, Any]]:
    out = tmp_path_factory.mktemp("out")
    return out, train_toxicity(data_root, out, recipe=TINY, **own(contrast))


def test_training_writes_weights_thresholds_metrics_and_a_card(
    trained: tuple[Path, Mapping[str, Any]],
) -> None:
    out, metrics = trained
    assert (out / "delta.safetensors").stat().st_size < 5_000_000
    assert set(Calibration.load(out / "calibration.json").thresholds) == set(Side)
    assert json.loads((out / "metrics.json").read_text())["test"] == metrics["test"]
    assert "What it cannot judge" in (out / "card.md").read_text()


def test_the_assembled_checkpoint_tells_what_it_was_taught(
    trained: tuple[Path, Mapping[str, Any]], tmp_path: Path
) -> None:
    scorer, calibration = load_evaluated(trained[0])
    rows = [{"text": f"You are a big {word}", "label": 1} for word in INSULTS]
    rows += [{"text": f"I like the big {word}", "label": 0} for word in THINGS]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    figures = evaluate_toxicity(
        tmp_path / "rows.jsonl", scorer, calibration, tmp_path / "scores.jsonl"
    )
    assert figures["n"] == 20
    assert figures["roc_auc"] > 0.9
    assert figures["roc_auc_by_label"] == {"toxic": figures["roc_auc"]}
    scored = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    assert len(scored) == 20
    assert set(scored[0]["scores"]) >= {"toxicity", "threat"}


def test_a_run_that_was_interrupted_ends_with_the_same_weights(
    trained: tuple[Path, Mapping[str, Any]],
    data_root: Path,
    contrast: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from finetune import toxicity_train

    real = toxicity_train._save

    def dies(path: Path, *parts: Any) -> None:
        real(path, *parts)
        raise KeyboardInterrupt

    shutil.copy(trained[0] / "states.npz", tmp_path)
    monkeypatch.setattr(toxicity_train, "_save", dies)
    with pytest.raises(KeyboardInterrupt):
        train_toxicity(data_root, tmp_path, recipe=TINY, **own(contrast))
    monkeypatch.setattr(toxicity_train, "_save", real)
    train_toxicity(data_root, tmp_path, recipe=TINY, **own(contrast), resume=True)
    whole = load_file(trained[0] / "delta.safetensors")
    resumed = load_file(tmp_path / "delta.safetensors")
    assert whole.keys() == resumed.keys()
    for name, tensor in whole.items():
        assert (resumed[name].float() - tensor.float()).abs().max() < 0.02, name


def test_thresholds_belong_to_the_checkpoint_that_is_served(
    trained: tuple[Path, Mapping[str, Any]],
) -> None:
    assert trained[1]["training"]["assembled_difference"] <= 1e-4


def test_a_run_may_go_on_from_an_earlier_delta(
    trained: tuple[Path, Mapping[str, Any]], data_root: Path, contrast: Path, tmp_path: Path
) -> None:
    delta = trained[0] / "delta.safetensors"
    shutil.copy(trained[0] / "states.npz", tmp_path)
    none_of_the_way = replace(TINY, blends=(0.0,), epochs=0.2, teacher=DEFAULT_ENCODER)
    train_toxicity(
        data_root, tmp_path, recipe=none_of_the_way, **own(contrast),
        start_from=delta,
    )  # fmt: skip
    before, after = load_file(delta), load_file(tmp_path / "delta.safetensors")
    factors = [name for name in before if ".lora_" in name]
    assert factors
    for name in factors:
        assert (before[name] == after[name]).all(), name
    inner = "bert.encoder.layer.6.intermediate.dense.weight"
    assert (before[inner] != after[inner]).any()  # the head learns again


def test_a_delta_with_its_head_is_taken_up_whole(
    trained: tuple[Path, Mapping[str, Any]], data_root: Path, contrast: Path, tmp_path: Path
) -> None:
    delta = trained[0] / "delta.safetensors"
    nothing_new = replace(TINY, epochs=0.0, head_epochs=0)
    train_toxicity(
        data_root, tmp_path, recipe=nothing_new, **own(contrast),
        start_from=delta,
    )  # fmt: skip
    before, after = load_file(delta), load_file(tmp_path / "delta.safetensors")
    assert before.keys() == after.keys()
    for name in before:
        if not name.startswith("classifier"):  # temperatures are fitted anew
            assert (before[name] == after[name]).all(), name


def test_going_on_from_a_delta_of_another_rank_is_refused(
    trained: tuple[Path, Mapping[str, Any]], data_root: Path, contrast: Path, tmp_path: Path
) -> None:
    shutil.copy(trained[0] / "states.npz", tmp_path)
    with pytest.raises(SetupError, match="rank and alpha"):
        train_toxicity(
            data_root, tmp_path, recipe=replace(TINY, rank=2), **own(contrast),
            start_from=trained[0] / "delta.safetensors",
        )  # fmt: skip


def test_resuming_with_another_recipe_is_refused(
    trained: tuple[Path, Mapping[str, Any]], data_root: Path, contrast: Path
) -> None:
    other = replace(TINY, learning_rate=1e-5)
    with pytest.raises(SetupError, match="another recipe"):
        train_toxicity(data_root, trained[0], recipe=other, **own(contrast), resume=True)


def test_every_set_has_rows_in_every_split_and_no_text_in_two(data_root: Path) -> None:
    splits: dict[str, set[str]] = {}
    for row in read_training_sets(data_root):
        splits.setdefault(row.source + row.text, set()).add(row.split)
    assert all(len(found) == 1 for found in splits.values())
    assert {split_of(str(i)) for i in range(100)} == {"train", "dev", "test"}
