"""What the toxicity model learns from: rows, their families, groups and misspellings."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from chatbot.errors import SetupError
from finetune.centres import read_centres
from finetune.toxicity_augment import KINDS, misspell, support_variants
from finetune.toxicity_data import CLEAN, Row, read_training_sets, split_of, targets
from finetune.toxicity_groups import GROUPS, fill, read_groups
from finetune.toxicity_own import (
    CONTRAST_DIR,
    read_centre_articles,
    read_contrast,
    read_families,
    read_labelled,
)
from finetune.toxicity_teacher import opinions
from finetune.toxicity_train import opinion_shares
from knowledge_base.encoder import DEFAULT_ENCODER
from knowledge_base.units import units
from tests.finetune.toxicity_sets import INSULTS, THINGS, TINY, family_row


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
