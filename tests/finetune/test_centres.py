from __future__ import annotations

import json
from pathlib import Path

import pytest

from chatbot.errors import SetupError
from finetune.centres import check, labels, read_centres
from knowledge_base.units import units

ARTICLE = {
    "kind": "article", "id": "returns", "title": "Returns",
    "text": "You have 30 days.\n\n| Country | Days |\n|---|---|\n| Spain | 21 days |",
}  # fmt: skip
QUESTION = {
    "kind": "question", "type": "direct", "question": "How long in Spain?",
    "evidence": [{"article": "returns", "text": "| Spain | 21 days |"}],
    "answer": "You have 21 days in Spain [[returns]].",
}  # fmt: skip


def centre(folder: Path, *rows: dict) -> Path:
    lines = (json.dumps(row) for row in rows)
    (folder / "x.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


def test_the_unit_that_holds_the_evidence_is_the_one_that_answers(tmp_path: Path) -> None:
    [own] = read_centres(centre(tmp_path, ARTICLE, QUESTION))
    [chunk] = own.chunks
    assert units(chunk.text) == ("You have 30 days.", "Country Spain: Days 21 days")
    assert labels(own.questions[0], chunk) == [0, 1]


def test_evidence_that_stands_nowhere_is_refused_by_line(tmp_path: Path) -> None:
    wrong = QUESTION | {"evidence": [{"article": "returns", "text": "22 days"}]}
    with pytest.raises(SetupError, match=r"x\.jsonl:2: '22 days' does not stand in"):
        read_centres(centre(tmp_path, ARTICLE, wrong))


def test_an_answer_without_evidence_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="an answer needs evidence"):
        read_centres(centre(tmp_path, ARTICLE, QUESTION | {"evidence": []}))


def test_the_companies_of_the_project_are_whole_and_kept_apart() -> None:
    learned, kept = read_centres(), read_centres(dev=True)
    assert len(learned) >= 28
    assert len(kept) == 2
    assert check([*learned, *kept]) == []
    asked = {question.text for one in learned for question in one.questions}
    assert not asked & {question.text for one in kept for question in one.questions}
