from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file

from chatbot.errors import SetupError
from chatbot.safety.calibration import Calibration
from chatbot.types import Side
from finetune.toxicity import load_recipe, train_toxicity
from finetune.toxicity_augment import KINDS, misspell, support_variants
from finetune.toxicity_calibrate import BOT, CUSTOMER, choose
from finetune.toxicity_data import (
    CLEAN,
    Row,
    read_contrast,
    read_labelled,
    read_training_sets,
    split_of,
    targets,
)
from finetune.toxicity_evaluate import balanced_accuracy, evaluate_toxicity, load_evaluated
from finetune.toxicity_train import Recipe

TINY = Recipe(
    epochs=1.0, attitude_rows=12, tokens_per_batch=512, checkpoint_every=2, rank=4, blends=(1.0,)
)
INSULTS = ("idiot", "moron", "fool", "clown", "liar", "pig", "rat", "loser", "halfwit", "creep")
THINGS = ("tent", "lamp", "kettle", "bike", "stove", "rope", "jacket", "boot", "map", "torch")


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
    return folder


@pytest.fixture(scope="module")
def trained(
    data_root: Path, contrast: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Mapping[str, Any]]:
    out = tmp_path_factory.mktemp("out")
    return out, train_toxicity(data_root, out, recipe=TINY, contrast=contrast, articles=contrast)


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

    shutil.copy(trained[0] / "features.npz", tmp_path)
    monkeypatch.setattr(toxicity_train, "_save", dies)
    with pytest.raises(KeyboardInterrupt):
        train_toxicity(data_root, tmp_path, recipe=TINY, contrast=contrast, articles=contrast)
    monkeypatch.setattr(toxicity_train, "_save", real)
    train_toxicity(
        data_root, tmp_path, recipe=TINY, contrast=contrast, articles=contrast, resume=True
    )
    whole = load_file(trained[0] / "delta.safetensors")
    resumed = load_file(tmp_path / "delta.safetensors")
    assert whole.keys() == resumed.keys()
    for name, tensor in whole.items():
        assert (resumed[name].float() - tensor.float()).abs().max() < 0.02, name


def test_resuming_with_another_recipe_is_refused(
    trained: tuple[Path, Mapping[str, Any]], data_root: Path, contrast: Path
) -> None:
    other = replace(TINY, learning_rate=1e-5)
    with pytest.raises(SetupError, match="another recipe"):
        train_toxicity(
            data_root, trained[0], recipe=other, contrast=contrast, articles=contrast, resume=True
        )


def test_every_set_has_rows_in_every_split_and_no_text_in_two(data_root: Path) -> None:
    splits: dict[str, set[str]] = {}
    for row in read_training_sets(data_root):
        splits.setdefault(row.source + row.text, set()).add(row.split)
    assert all(len(found) == 1 for found in splits.values())
    assert {split_of(str(i)) for i in range(100)} == {"train", "dev", "test"}


def test_a_missing_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"jigsaw_sixlabel.*--data-root"):
        read_training_sets(tmp_path)


def test_contrast_rows_keep_their_group_and_file_split() -> None:
    rows = read_contrast()
    assert {row.split for row in rows} == {"train", "dev", "test"}
    assert any(row.source == "contrast_threats" for row in rows)


def test_attitudes_of_dev_and_test_never_occur_in_train() -> None:
    plain = [Row(f"where is order {i}?", CLEAN, "support_x", split_of(str(i))) for i in range(300)]
    made = support_variants(plain, seed=1, per_kind=60)
    train_texts = " ".join(row.text for row in made if row.split == "train")
    for kind in KINDS:
        if len(kind.phrases[1]) > 12:  # a short phrase may be part of another
            assert kind.phrases[1] not in train_texts


def test_misspelling_keeps_the_words_apart_and_changes_some() -> None:
    import random

    text = "this kettle leaks terribly every morning"
    changed = misspell(text, random.Random(3))
    assert changed != text
    assert len(changed.split()) == len(text.split())


@pytest.mark.parametrize(
    ("line", "message"),
    [("{", "line 2"), ('{"label": 1}', "line 2"), ('{"text": "a", "label": "x"}', "line 2")],
)
def test_a_bad_line_of_a_labelled_file_is_named(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "x.jsonl").write_text('{"text": "fine", "label": 0}\n' + line + "\n")
    with pytest.raises(SetupError, match=message):
        read_labelled(tmp_path / "x.jsonl")


def test_both_spellings_of_the_labels_are_read(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text(
        '{"text": "a", "toxicity": 1, "identity_attack": 0}\n'
        '{"text": "b", "labels": {"toxic": 0, "threat": 1}}\n'
    )
    first, second = read_labelled(tmp_path / "x.jsonl")
    assert (first[1][0], first[1][5]) == (1.0, 0.0)
    assert (second[1][0], second[1][3]) == (0.0, 1.0)


def test_the_customer_side_obeys_its_limit_of_false_flags() -> None:
    rng = np.random.default_rng(0)
    good = [Row(str(i), CLEAN, "support_x", "dev") for i in range(2000)]
    bad = [
        Row(f"b{i}", targets(toxic=1.0), "contrast_support_agent_abuse", "dev") for i in range(300)
    ]
    scores = np.concatenate([rng.beta(1, 12, (2000, 6)), rng.beta(6, 2, (300, 6))])
    thresholds, trade = choose([*good, *bad], scores.astype(np.float32), CUSTOMER)
    flagged = trade["legitimate_flagged"]
    assert isinstance(flagged, float)
    assert flagged <= CUSTOMER.limit
    assert "obscene" not in thresholds
    stricter, _ = choose([*good, *bad], scores.astype(np.float32), BOT)
    assert min(stricter.values()) <= min(thresholds.values())


def test_balanced_accuracy_counts_both_classes_alike() -> None:
    wanted = np.array([True, False, False, False])
    assert balanced_accuracy(wanted, np.array([True, False, False, True])) == pytest.approx(0.83333)
    assert balanced_accuracy(np.array([True]), np.array([True])) is None


def test_a_recipe_file_overrides_the_defaults_and_unknown_names_stop(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text("epochs = 0.5\nblends = [1.0]\n")
    recipe = load_recipe(tmp_path / "r.toml", seed=5)
    assert (recipe.epochs, recipe.blends, recipe.seed) == (0.5, (1.0,), 5)
    (tmp_path / "bad.toml").write_text("epoch = 1\n")
    with pytest.raises(SetupError, match="epoch is no setting"):
        load_recipe(tmp_path / "bad.toml")
