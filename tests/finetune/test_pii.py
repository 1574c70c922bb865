"""The tagger's rows are made with true spans, and a small training runs and resumes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chatbot.errors import SetupError
from chatbot.safety.pii_tagger import PersonalTagger
from finetune.pii import best_threshold, figures, train_tagger
from finetune.pii_fill import Filler
from finetune.pii_rows import Amounts, Tagged, read_rows
from finetune.pii_train import Recipe

SMALL = Amounts(personal=2, plain=1, dev=1)


def test_a_pattern_is_filled_with_spans_that_hold_the_values() -> None:
    text, spans = Filler().fill("Hi, {full} here, call {phone}. {full} again", 3)
    names = {text[a:b] for a, b, label in spans if label == "person_name"}
    assert len(names) == 1
    assert text.startswith(f"Hi, {names.pop()} here")
    assert [label for _, _, label in spans] == ["person_name", "phone", "person_name"]


def test_parts_of_an_address_that_touch_are_one_address() -> None:
    text, spans = Filler().fill("Send it to {flat}, {street}\n{postcode} {city} please", 1)
    ((start, end, label),) = spans
    assert label == "address"
    assert text[:start] == "Send it to "
    assert text[end:] == " please"


def test_a_town_alone_is_a_place() -> None:
    _, spans = Filler().fill("Do you deliver to {city}?", 1)
    assert [label for _, _, label in spans] == ["place"]


def test_a_title_is_no_part_of_the_name() -> None:
    text, ((start, _, _),) = Filler().fill("{titled} called", 2)
    assert start > 0
    assert text[start - 1] == " "


def test_the_same_number_gives_the_same_text_and_another_one_another() -> None:
    assert Filler(1).fill("{full}", 4) == Filler(1).fill("{full}", 4)
    assert len({Filler(1).fill("{full}", n)[0] for n in range(20)}) > 15


def test_an_unknown_slot_is_named() -> None:
    with pytest.raises(SetupError, match=r"no slot is called \{shoe\}"):
        Filler().fill("my {shoe}", 0)


def test_spans_of_all_rows_are_in_order_and_hold_no_space_at_their_ends() -> None:
    rows = read_rows(amounts=SMALL)
    assert {row.split for row in rows} == {"train", "dev"}
    for row in rows:
        position = 0
        for start, end, _ in row.spans:
            assert position <= start < end <= len(row.text)
            assert row.text[start:end].strip() == row.text[start:end]
            position = end


def test_messages_are_also_said_of_other_people(tmp_path: Path) -> None:
    folder = tmp_path / "personal" / "messages"
    folder.mkdir(parents=True)
    for name in ("personal/patterns.jsonl", "safety/support_legit.jsonl", "router/train.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("", "utf-8")
    message = {
        "text": "ask wioletta in Leeds, not Jo Brand",
        "entities": [["person_name", "wioletta"], ["person_name", "Jo Brand"]],
    }
    (folder / "one.jsonl").write_text(json.dumps(message) + "\n", "utf-8")
    rows = [r for r in read_rows(tmp_path, amounts=Amounts(messages=2, others=6)) if r.spans]
    assert len(rows) == 8
    named = {tuple(row.text[a:b] for a, b, _ in row.spans) for row in rows}
    assert len(named) > 5
    assert all("leeds, not" in row.text.lower() for row in rows)
    assert {row.split for row in rows} == {"train"}


def test_no_pattern_stands_in_both_splits() -> None:
    rows = read_rows(amounts=SMALL)
    splits: dict[str, set[str]] = {}
    for row in rows:
        splits.setdefault(row.family, set()).add(row.split)
    assert all(len(found) == 1 for found in splits.values())


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "personal").mkdir()
    (tmp_path / "personal" / "patterns.jsonl").write_text('{"text": "ok"}\n{"words": 1}\n', "utf-8")
    with pytest.raises(SetupError, match=r"patterns\.jsonl, line 2: expected"):
        read_rows(tmp_path, amounts=SMALL)


def test_of_equal_thresholds_the_lowest_is_taken() -> None:
    row = Tagged("Jo", ((0, 2, "person_name"),), "", "dev")
    assert best_threshold("person_name", [row], [[]]) == 0.5
    assert figures("person_name", [row], [[]], 0.5)["recall"] == 0.0


def test_a_small_training_writes_what_serving_loads(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "personal").mkdir(parents=True)
    (data / "router").mkdir()
    (data / "safety").mkdir()
    (data / "router" / "train.jsonl").write_text("", "utf-8")
    (data / "safety" / "support_legit.jsonl").write_text('{"text": "where is it"}\n', "utf-8")
    patterns = ["It's {full}", "{full} here", "call {phone}", "ship to {city}?", "{street}"]
    lines = "".join(json.dumps({"text": text}) + "\n" for text in patterns)
    (data / "personal" / "patterns.jsonl").write_text(lines, "utf-8")
    metrics = train_tagger(
        data,
        out=tmp_path / "out",
        recipe=Recipe(rank=2, epochs=1, batch=64, save_every=5),
        amounts=SMALL,
    )
    assert metrics["train_rows"] > 0
    assert not (tmp_path / "out" / "checkpoint.pt").exists()
    assert "python -m finetune pii" in (tmp_path / "out" / "card.md").read_text("utf-8")
    assert PersonalTagger.load(folder=tmp_path / "out").find("") == []
