"""The project's own training data keeps its form: labels, groups, no row twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parents[2] / "finetune" / "data"
LABELS = {"toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"}


def rows(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / path).read_text(encoding="utf-8").splitlines()]


def plain(row: dict[str, Any]) -> str:
    return " ".join(row["text"].casefold().split())


@pytest.mark.parametrize(
    ("train", "dev"),
    [
        ("safety/contrast_train.jsonl", "safety/contrast_dev.jsonl"),
        ("safety/injection_train.jsonl", "safety/injection_dev.jsonl"),
        ("router/train.jsonl", "router/dev.jsonl"),
    ],
)
def test_no_text_stands_twice_or_on_both_sides(train: str, dev: str) -> None:
    learnt, judged = [plain(r) for r in rows(train)], [plain(r) for r in rows(dev)]
    assert len(set(learnt)) == len(learnt)
    assert len(set(judged)) == len(judged)
    assert not set(learnt) & set(judged)


@pytest.mark.parametrize(
    "name",
    ["contrast_train", "contrast_dev", "desk_tone_more", "bot_tone_more", "group_statements"],
)
def test_a_finer_toxicity_label_implies_toxic_unless_it_is_only_obscene(name: str) -> None:
    for row in rows(f"safety/{name}.jsonl"):
        assert set(row["labels"]) == LABELS
        finer = any(row["labels"][label] for label in LABELS - {"toxic", "obscene"})
        assert row["labels"]["toxic"] or not finer, row


@pytest.mark.parametrize("name", ["desk_tone_more", "bot_tone_more", "group_statements"])
def test_no_family_of_a_moderation_set_stands_in_two_splits(name: str) -> None:
    homes: dict[str, set[str]] = {}
    for row in rows(f"safety/{name}.jsonl"):
        homes.setdefault(row["family"], set()).add(row["split"])
    assert all(len(splits) == 1 for splits in homes.values())
    assert set().union(*homes.values()) == {"train", "dev", "test"}


def test_no_text_of_the_family_sets_stands_twice_or_in_another_set() -> None:
    texts = [
        plain(row)
        for name in (
            "desk_tone_more",
            "bot_tone_more",
            "group_statements",
            "contrast_train",
            "contrast_dev",
            "tone",
        )
        for row in rows(f"safety/{name}.jsonl")
    ]
    assert len(set(texts)) == len(texts)


def test_entity_spans_lie_on_the_text_and_never_overlap() -> None:
    for row in [*rows("router/train.jsonl"), *rows("router/dev.jsonl")]:
        end = 0
        for entity in sorted(row["entities"], key=lambda e: e["start"]):
            assert end <= entity["start"] < entity["end"] <= len(row["text"]), row
            assert row["text"][entity["start"] : entity["end"]].strip()
            end = entity["end"]


def test_questions_are_split_by_article() -> None:
    folder = DATA.parents[1] / "knowledge_base" / "sample" / "questions"
    articles: dict[str, set[str]] = {}
    for split in ("train", "dev", "test"):
        lines = (folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
        articles[split] = {a for line in lines for a in json.loads(line)["articles"]}
    assert not articles["train"] & articles["dev"]
    assert not articles["train"] & articles["test"]
    assert not articles["dev"] & articles["test"]
