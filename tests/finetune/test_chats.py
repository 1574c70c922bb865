"""Past conversations of any common shape become rows that may be learnt from."""

from __future__ import annotations

import json
import shutil
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import pytest

from chatbot.errors import BadInput
from chatbot.settings import load_settings
from finetune.answers_rows import read_rows
from finetune.chat_formats import read_file, read_hub
from finetune.chat_records import read_records
from finetune.chats_prepare import Sources, prepare_chats
from knowledge_base.settings import SAMPLE_COMPANY

PAIR = {"question": "How long may I return a tent?", "answer": "You have\u2028 60 days."}


def lines(path: Path, *records: Any) -> Path:
    text = "".join(
        r if isinstance(r, str) else json.dumps(r, ensure_ascii=False) + "\n" for r in records
    )
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "record",
    [
        PAIR,
        {"prompt": PAIR["question"], "completion": PAIR["answer"]},
        {"Instruction": PAIR["question"], "Response": PAIR["answer"]},
        {"messages": [{"role": "system", "content": "Be kind."},
                      {"role": "user", "content": PAIR["question"]},
                      {"role": "assistant", "content": PAIR["answer"]}]},
        {"conversations": [{"from": "human", "value": PAIR["question"]},
                           {"from": "gpt", "value": PAIR["answer"]}]},
    ],
)  # fmt: skip
def test_common_shapes_are_the_same_exchange(record: dict[str, Any], tmp_path: Path) -> None:
    found = read_records(read_file(lines(tmp_path / "chats.jsonl", record)))
    assert [(e.question, e.answer) for e in found.exchanges] == [tuple(PAIR.values())]
    assert not found.broken


def test_a_longer_conversation_keeps_its_history_and_joins_messages(tmp_path: Path) -> None:
    said = [("customer", "hi"), ("agent", "Hello!"), ("customer", "a tent"),
            ("customer", "how long?"), ("agent", "60 days.")]  # fmt: skip
    messages = [{"role": role, "text": text} for role, text in said]
    found = read_records(read_file(lines(tmp_path / "c.jsonl", {"id": 7, "messages": messages})))
    assert [e.question for e in found.exchanges] == ["hi", "a tent\nhow long?"]
    assert [m.text for m in found.exchanges[1].history] == ["hi", "Hello!"]
    assert {e.conversation for e in found.exchanges} == {"7"}


def test_csv_and_parquet_are_read(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    messages = "conversation_id,role,text\n1,customer,How long?\n1,agent,60 days.\n"
    (tmp_path / "long.csv").write_text(messages, encoding="utf-8")
    (tmp_path / "wide.csv").write_text('question,answer\n"How, long?",60 days.\n', encoding="utf-8")
    parquet.write_table(pyarrow.Table.from_pylist([PAIR, PAIR]), tmp_path / "c.parquet")
    found = [read_records(read_file(tmp_path / n)) for n in ("long.csv", "wide.csv", "c.parquet")]
    assert [len(f.exchanges) for f in found] == [1, 1, 2]
    assert found[1].exchanges[0].question == "How, long?"


def test_conversations_of_two_files_stay_apart_where_their_ids_are_alike(tmp_path: Path) -> None:
    for name, said in (("a", "Where is my parcel?"), ("b", "Do you repair boots?")):
        (tmp_path / f"{name}.csv").write_text(
            f"conversation_id,role,text\n1,customer,{said}\n1,agent,Answer {name}.\n"
        )
    read = [read_file(tmp_path / f"{name}.csv") for name in ("a", "b")]
    found = read_records(chain.from_iterable(read)).exchanges
    assert [(one.question, one.answer) for one in found] == [
        ("Where is my parcel?", "Answer a."),
        ("Do you repair boots?", "Answer b."),
    ]
    assert len({one.conversation for one in found}) == 2


def test_a_row_without_expressions_says_so_with_null(tmp_path: Path) -> None:
    row = {"question": "Q?", "passages": [], "answer": "A.", "must": None, "gold": None}
    assert read_records(read_file(lines(tmp_path / "r.jsonl", row))).broken == []


def test_every_broken_row_is_named_with_its_number_and_its_reason(tmp_path: Path) -> None:
    file = lines(
        tmp_path / "chats.jsonl",
        PAIR, "{\n", {**PAIR, "answer": " "}, {"title": "x"}, '"text"\n', {"messages": []},
        {"messages": [{"role": "ghost", "content": "boo"}]},
    )  # fmt: skip
    found = read_records(read_file(file))
    assert len(found.exchanges) == 1
    wanted = ("not JSON", "'answer' is empty", "columns (title)", "not str", "must be a list",
              "role 'ghost' is not known")  # fmt: skip
    for number, (said, reason) in enumerate(zip(found.broken, wanted, strict=True), 2):
        assert said.startswith(f"{file}:{number}: ")
        assert reason in said
    (tmp_path / "c.csv").write_text("question,answer\na,b,c\nonly\n", encoding="utf-8")
    broken = read_records(read_file(tmp_path / "c.csv")).broken
    for said, reason in zip(broken, (":2: more than the 2", ":3: fewer than the 2"), strict=True):
        assert reason in said


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "chats.xlsx").touch()
    (tmp_path / "c.parquet").write_text("no")
    (tmp_path / "latin.csv").write_bytes(b"question,answer\nwie gro\xdf?,so\n")
    for name, message in (
        ("chats.xlsx", "are read from .jsonl"), ("none.csv", "is not a file"),
        ("c.parquet", "cannot be read as Parquet"), ("latin.csv", "is not UTF-8"),
    ):  # fmt: skip
        with pytest.raises(BadInput, match=message):
            list(read_file(tmp_path / name))


def test_a_hub_that_cannot_be_reached_names_the_way_around(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(BadInput, match="give it with --chats"):
        list(read_hub("nobody/no-such-set@train"))


@pytest.fixture
def company(tmp_path: Path) -> Path:
    folder = tmp_path / "company"
    (folder / "articles").mkdir(parents=True)
    (folder / "questions").mkdir()
    shutil.copy(SAMPLE_COMPANY / "company.toml", folder)
    texts = {
        "returns": "You can return any item within 60 days. The return label costs £3.50.",
        "gifts": "A gift card is valid for five years. A gift card cannot be paid out.",
        "repairs": "We repair tents in our own workshop. A repair takes 10 working days.",
        "shops": "Our shop in Leeds is open from 9:00 to 17:30. Dogs are welcome in our shop.",
        "post": "Standard delivery costs £4.50. Write to help@larkmoor.example with questions.",
    }
    for name, text in texts.items():
        (folder / "articles" / f"{name}.md").write_text(f"---\ntitle: {name}\n---\n{text}\n")
    lines(folder / "questions" / "test.jsonl", {"question": "What does standard delivery cost?"})
    return folder


CHATS = (
    {"question": "How many days do I have to return a tent? I am kim@shop.example",
     "answer": "You can return any item within 60 days."},
    {"question": "how many days do I have to return a tent?? I am kim@shop.example",
     "answer": "You can return any item within 60 days!"},
    {"question": "Is a gift card valid for long?",
     "answer": "A gift card is valid for five years."},
    {"question": "Do you repair tents?", "answer": "We repair tents in our own workshop."},
    {"question": "When is the Leeds shop open?",
     "answer": "Our shop in Leeds is open from 9:00 to 17:30."},
    {"question": "Can I bring my dog to the shop in Leeds?",
     "answer": "Dogs are welcome in our shop."},
    {"question": "How long does a repair take?", "answer": "A repair takes 3 working days."},
    {"question": "Was kostet der Versand nach Hause, bitte?",
     "answer": "Der Versand nach Hause kostet immer vier Pfund fünfzig."},
    {"question": "Where is my parcel?", "answer": "You fucking idiot, look at your own doorstep."},
    {"question": "What does standard delivery cost?", "answer": "Standard delivery costs £4.50."},
    {"question": "thanks", "answer": "Thank you!"},
)  # fmt: skip


def test_what_may_not_be_learnt_is_dropped_and_reported(tmp_path: Path, company: Path) -> None:
    settings = load_settings({}, data_dir=tmp_path / "data", company=company)
    out = tmp_path / "rows.jsonl"
    chats = lines(tmp_path / "chats.jsonl", *CHATS)
    report = prepare_chats(settings, company, out, Sources((chats,), augment=1.0, adversarial=1.0))
    assert report["dropped"] == {
        "exact duplicate": 1, "asked in an evaluation": 1, "another language": 1,
        "toxic answer": 1, "claim without a passage": 1, "nothing that an article says": 1,
    }  # fmt: skip
    assert report["rows"] == 5
    splits = {n: read_rows([out.with_suffix(f".{n}.jsonl")]) for n in ("dev", "test")}
    train = read_rows([out])
    everything = [*train, *splits["dev"], *splits["test"]]
    assert all(splits.values())
    assert "kim@shop.example" not in out.read_text() + json.dumps(report)
    sources = [{r.passages[n - 1].title for r in rows for n in r.gold}
               for rows in (train, *splits.values())]  # fmt: skip
    for one, other in combinations(sources, 2):
        assert not one & other
    assert any(r.answer.startswith("We repair tents in our own workshop [") for r in everything)
    assert any("adversarial" in row.kind for row in train)
    page = out.with_suffix(".report.html").read_text()
    assert "Dropped: toxic answer" in page
    assert "A repair takes 3 working days." in page


def test_what_only_staff_may_read_is_no_reason_to_keep_personal_data(
    tmp_path: Path, company: Path
) -> None:
    staff = "---\ntitle: staff\naudience: internal\n---\nCall +44 20 7946 0123 for urgent tents.\n"
    (company / "articles" / "staff.md").write_text(staff)
    settings = load_settings({}, data_dir=tmp_path / "data", company=company)
    asked = "Do you repair tents? Somebody gave me +44 20 7946 0123"
    chats = lines(tmp_path / "chats.jsonl", {**CHATS[3], "question": asked})
    out = tmp_path / "rows.jsonl"
    report = prepare_chats(settings, company, out, Sources((chats,)))
    assert report["personal_values_replaced"] == 1
    assert not any("7946 0123" in path.read_text() for path in tmp_path.glob("rows*"))


def test_broken_rows_stop_everything_unless_they_are_left_out(
    tmp_path: Path, company: Path
) -> None:
    settings = load_settings({}, data_dir=tmp_path / "data", company=company)
    chats = lines(tmp_path / "chats.jsonl", "{\n", *CHATS[2:6])
    out = tmp_path / "rows.jsonl"
    with pytest.raises(BadInput, match=r"1 of 5 rows are broken:\n  .*chats.jsonl:1: not JSON"):
        prepare_chats(settings, company, out, Sources((chats,)))
    assert not out.exists()
    report = prepare_chats(settings, company, out, Sources((chats,), skip_broken=True))
    assert report["broken"] == 1
    assert "not JSON" in out.with_suffix(".report.json").read_text()


def test_nothing_left_to_learn_from_is_an_error_with_the_reasons(
    tmp_path: Path, company: Path
) -> None:
    settings = load_settings({}, data_dir=tmp_path / "data", company=company)
    chats = lines(tmp_path / "chats.jsonl", CHATS[6])
    with pytest.raises(BadInput, match=r"nothing is left.*1 claim without a passage"):
        prepare_chats(settings, company, tmp_path / "rows.jsonl", Sources((chats,)))
