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
from chatbot.safety.toxicity import CATEGORIES
from chatbot.types import Side
from finetune.centres import read_centres
from finetune.toxicity import train_toxicity
from finetune.toxicity_aims import measure
from finetune.toxicity_augment import KINDS, misspell, support_variants
from finetune.toxicity_calibrate import BOT, CUSTOMER, choose
from finetune.toxicity_data import CLEAN, Row, read_training_sets, split_of, targets
from finetune.toxicity_evaluate import balanced_accuracy, evaluate_toxicity, load_evaluated
from finetune.toxicity_groups import GROUPS, fill, read_groups
from finetune.toxicity_own import (
    CONTRAST_DIR,
    read_centre_articles,
    read_contrast,
    read_families,
    read_labelled,
)
from finetune.toxicity_recipe import Recipe, load_recipe
from finetune.toxicity_teacher import opinions
from finetune.toxicity_train import opinion_shares
from knowledge_base.encoder import DEFAULT_ENCODER
from knowledge_base.units import units

TINY = Recipe(
    epochs=1.0, attitude_rows=12, tokens_per_batch=512, checkpoint_every=2, rank=4, blends=(1.0,),
    teacher="",
)  # fmt: skip
INSULTS = ("idiot", "moron", "fool", "clown", "liar", "pig", "rat", "loser", "halfwit", "creep")
SPLITS = ("train",) * 6 + ("dev",) * 2 + ("test",) * 2
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
    lines = [family_row("abuse", word, split) for word, split in zip(INSULTS, SPLITS, strict=True)]
    (folder / "desk_tone_more.jsonl").write_text("".join(lines))
    return folder


def family_row(family: str, word: str, split: str) -> str:
    labels = dict.fromkeys(("toxic", "insult"), 1)
    row = {"text": f"Where is it, {word}?", "kind": "abuse_of_agent", "labels": labels}
    return json.dumps(row | {"split": split, "family": f"{family} in {split}"}) + "\n"


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


def test_a_bot_learns_what_other_help_centres_say_each_of_them_in_one_split() -> None:
    rows = read_centre_articles()
    assert len({row.text for row in rows}) == len(rows) > 2500
    assert {row.split for row in rows} == {"train", "dev", "test"}
    assert {row.targets for row in rows} == {CLEAN}
    split = {row.text: row.split for row in rows}
    for centre in read_centres()[:5]:
        said = [text for part in centre.chunks for text in units(part.text, legible=True)]
        assert len({split[text] for text in said}) == 1, centre.name


def test_a_teacher_tells_a_row_what_it_learnt_from_the_others(tmp_path: Path) -> None:
    rude = [f"You are a {a} {word}" for word in INSULTS for a in ("real", "sad", "big", "poor")]
    kind = [f"I like the {a} {word}" for word in THINGS for a in ("real", "sad", "big", "poor")]
    rows = [Row(text, targets(toxic=1.0), "desk_abuse", "train") for text in rude]
    rows += [Row(text, CLEAN, "desk_ordinary", "train") for text in kind]
    rows = [*rows, Row("You are a nasty fool", targets(toxic=0.0), "desk_x", "dev")]
    logits = opinions(tmp_path / "teacher.npz", DEFAULT_ENCODER, rows, seed=1)
    assert logits.shape == (len(rows), 6)
    assert logits[: len(rude), 0].min() > logits[len(rude) : -1, 0].max()
    assert logits[-1, 0] > 0  # its own label says otherwise, and is not learnt
    again = opinions(tmp_path / "teacher.npz", DEFAULT_ENCODER, rows, seed=1)
    assert np.allclose(logits, again, atol=1e-3)


def test_own_rows_are_hardly_tempered_but_for_the_swearing_that_others_call_toxic() -> None:
    swears = targets(toxic=0.0, obscene=1.0)
    rows = [
        Row("a", CLEAN, "jigsaw", "train"),
        Row("b", CLEAN, "misspelt_desk_ordinary", "train"),
        Row("c", swears, "desk_profane_product", "train"),
    ]
    shares = opinion_shares(rows, TINY)
    assert shares[:, 0] == pytest.approx([0.5, 0.1, 0.6])
    assert shares[2, 1:] == pytest.approx([0.1] * 5)


def test_every_statement_about_groups_is_said_of_several_of_them() -> None:
    rows = read_groups(CONTRAST_DIR, weight=8.0)
    assert not [row.text for row in rows if "{" in row.text]
    assert {row.split for row in rows} == {"train", "dev", "test"}
    hostile = [row.text for row in rows if row.targets[0] == 1.0]
    harmless = [row.text for row in rows if row.targets[0] == 0.0]
    for plural, _, _ in GROUPS:  # a group's name alone tells nothing
        assert sum(plural.lower() in text.lower() for text in hostile) > 3, plural
        assert sum(plural.lower() in text.lower() for text in harmless) > 3, plural
    assert (
        fill("A {A} cook, {S} too", "Asians", "an Asian", "Asian") == "An Asian cook, an Asian too"
    )


def test_a_statement_without_a_group_is_refused(tmp_path: Path) -> None:
    row = json.loads(family_row("x", "pig", "train"))
    (tmp_path / "group_statements.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(SetupError, match="has none of the slots"):
        read_groups(tmp_path, 1.0)


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


def test_family_rows_keep_the_split_of_their_file() -> None:
    rows = read_families()
    for source in ("desk_abuse_of_agent", "desk_threat_to_person", "bot_insult"):
        assert {row.split for row in rows if row.source == source} == {"train", "dev", "test"}


def test_a_family_in_two_splits_stops_the_run(tmp_path: Path) -> None:
    one, other = family_row("praise", "pig", "train"), family_row("praise", "rat", "dev")
    (tmp_path / "desk_tone_more.jsonl").write_text(one + other.replace("in dev", "in train"))
    with pytest.raises(SetupError, match="praise in train stands in train and in dev"):
        read_families(tmp_path)


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
    worth = trade["by_category"]
    assert isinstance(worth, dict)
    assert set(worth) == set(thresholds)
    assert all(w["missed_without"] >= trade["abuse_missed"] for w in worth.values())
    stricter, _ = choose([*good, *bad], scores.astype(np.float32), BOT)
    assert min(stricter.values()) <= min(thresholds.values())


def test_an_answer_that_swears_is_bad_and_a_customer_who_swears_is_not() -> None:
    swears = targets(toxic=0.0, obscene=1.0)
    rows = [Row(f"s{i}", swears, "bot_profane", "dev") for i in range(20)]
    rows += [Row(f"a{i}", CLEAN, "article", "dev") for i in range(200)]
    rows += [Row(f"d{i}", swears, "desk_profane_product", "dev") for i in range(20)]
    scores = np.full((len(rows), 6), 0.02, dtype=np.float32)
    scores[:20, 2] = scores[-20:, 2] = 0.9
    bot, _ = choose(rows, scores, BOT)
    assert bot["obscene"] <= 0.9
    customer, trade = choose(rows, scores, CUSTOMER)
    assert trade["legitimate_flagged"] == 0
    assert "obscene" not in customer


def test_the_bot_side_pays_for_harmless_words_about_groups() -> None:
    rows = [Row(f"a{i}", CLEAN, "article", "dev") for i in range(100)]
    rows += [Row(f"h{i}", targets(toxic=1.0), "group_contempt", "dev") for i in range(50)]
    rows += [Row(f"n{i}", CLEAN, "group_neutral", "dev") for i in range(50)]
    scores = np.zeros((200, 6), dtype=np.float32)
    scores[100:150, 0], scores[150:, 0] = 0.7, 0.6
    thresholds, trade = choose(rows, scores, BOT)
    assert 0.6 < thresholds["toxicity"] <= 0.7
    assert trade["lookalikes_flagged"] == 0.0


def test_shares_of_what_the_model_is_for_name_the_rows_that_went_wrong() -> None:
    calibration = Calibration({Side.CUSTOMER: {"threat": 0.5}, Side.BOT: {"toxicity": 0.5}})
    rows = [
        Row(text, targets(toxic=1.0, threat=1.0), "desk_threat_to_person", "test")
        for text in ("I will hurt you", "sleep well, while you can")
    ]
    scores = np.zeros((2, 6), dtype=np.float32)
    scores[0, CATEGORIES.index("threat")] = 0.9
    (found,) = measure(rows, scores, calibration)
    assert (found["aim"], found["mean"], found["n"]) == ("threats found", 0.5, 2)
    assert found["wrong"] == ["sleep well, while you can"]


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
