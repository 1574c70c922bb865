from __future__ import annotations

import json
from pathlib import Path

import pytest

from chatbot.errors import SetupError
from finetune.router_data import read_rows
from finetune.router_sets import router_sets_command


def published(folder: Path) -> Path:
    """The five sets in their publishers' columns, 20 rows each."""
    texts = [f"where is my card {n}" for n in range(20)]
    for name, header in (("banking77/train", "text,category"), ("clinc150/train", "text,intent")):
        write(folder / f"{name}.csv", header, [f"{text},a" for text in texts])
    write(folder / "clinc150/val.csv", "text,intent", [f"{text},a" for text in texts])
    write(folder / "clinc150/oos_train.csv", "text,intent", ["how deep is the sea,oos"])
    write(folder / "clinc150/oos_val.csv", "text,intent", ["who wrote it,oos"])
    bitext = "utterance,intent,entity_type,entity_value,start_offset,end_offset"
    for name in ("train", "dev"):
        rows = [f"cancel 12{n},cancel_order,order_id,12{n},7,10" for n in range(10)]
        write(folder / f"bitext_intent_ner/{name}.csv", bitext, [*rows, "hello,hi,,,,"])
    spans = [{"slot": "date", "start": 3, "end": 9, "text": "friday"}]
    booked = {"text": "on friday", "slots": spans}
    for name in ("banking", "hotels"):
        folds = [{**booked, "intents": ["when", "booking"], "fold": n} for n in range(15)]
        lines(folder / f"nlupp/{name}.jsonl", folds)
    lines(folder / "restaurant8k/train.jsonl", [{**booked, "requested_slots": ["date"]}] * 20)
    return folder


def write(path: Path, header: str, rows: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")


def lines(path: Path, rows: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_the_public_sets_become_rows_that_the_trainer_reads(tmp_path: Path) -> None:
    router_sets_command(published(tmp_path / "sets"), tmp_path / "out")
    counts = {path.stem: len(read_rows(path).rows) for path in (tmp_path / "out").iterdir()}
    assert counts == {
        "banking77-train": 18,
        "banking77-test": 2,
        "banking77-few": 10,
        "clinc150-train": 20,
        "clinc150-eval": 11,
        "clinc150-test": 11,
        "bitext-train": 11,
        "bitext-test": 11,
        "nlupp-train": 24,
        "nlupp-test": 6,
        "restaurant8k-train": 18,
        "restaurant8k-test": 2,
    }
    (row, *_) = read_rows(tmp_path / "out" / "nlupp-test.jsonl").rows
    assert row.intents == ("when", "booking")
    assert row.text[row.entities[0].start : row.entities[0].end] == "friday"


def test_no_row_is_both_learnt_and_measured_on(tmp_path: Path) -> None:
    router_sets_command(published(tmp_path / "sets"), tmp_path / "out")
    train, test = (
        {row.text for row in read_rows(tmp_path / "out" / f"banking77-{part}.jsonl").rows}
        for part in ("train", "test")
    )
    assert not train & test


def test_a_missing_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"banking77/train\.csv: no such file; --data-root"):
        router_sets_command(tmp_path, tmp_path / "out")
