from __future__ import annotations

import json
from pathlib import Path

import pytest

from chatbot.errors import BadInput
from chatbot.routing.survey import survey
from chatbot.settings import load_settings


def test_questions_are_counted_and_those_that_go_astray_are_named(tmp_path: Path) -> None:
    asked = [{"role": "customer", "text": "Where is my order?"}]
    rows = [
        {"question": "how long do I have to return boots?", "expect": "answer"},
        {"question": "where is my order?", "expect": "answer"},
        {"question": "and how long is delivery?", "expect": "answer", "history": asked},
        {"question": "what is the return policy"},
    ]
    file = tmp_path / "questions.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    said: list[str] = []
    counts = survey(load_settings(data_dir=tmp_path / "data"), file, said.append)
    assert counts == {("answer", "answer"): 2, ("answer", "ask_slot"): 1, ("", "answer"): 1}
    assert said[0] == f"{file}:2: answer, but ask_slot: 'where is my order?'"
    assert "order_id is missing" in said[1]


@pytest.mark.parametrize("line", ["not json", '{"text": "hi"}', "[1]", '{"question": ""}'])
def test_a_line_without_a_question_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text(f'{{"question": "hi"}}\n{line}\n', encoding="utf-8")
    with pytest.raises(BadInput, match=r"questions\.jsonl:2: needs a question"):
        survey(load_settings(data_dir=tmp_path), file, print)
