"""What an evaluation asks is never learnt: its questions, however they come into the data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from chatbot.errors import BadInput
from finetune.answers_rows import AnswerRow
from finetune.centres import read_centres
from finetune.chat_filters import Dropped
from finetune.near_duplicates import NearDuplicates

TRAIN = "train"


def held_out(company: Path, against: Sequence[Path]) -> list[str]:
    """Every question that an evaluation asks: the company's (all files below questions/ that are
    not named train), the dev centres', ``against``. Raises BadInput naming file and line."""
    folder = company / "questions"
    own = [path for path in sorted(folder.glob("**/*.jsonl")) if path.stem != TRAIN]
    asked = []
    for path in [*own, *against]:
        if not path.is_file():
            raise BadInput(f"--against {path}: there is no such file")
        for number, line in enumerate(path.read_text("utf-8").split("\n"), 1):
            if line.strip():
                try:
                    asked.append(str(json.loads(line)["question"]))
                except (ValueError, KeyError, TypeError):
                    raise BadInput(
                        f"{path}:{number}: an object with 'question' is needed"
                    ) from None
    return [*asked, *(q.text for centre in read_centres(dev=True) for q in centre.questions)]


def unasked(
    rows: Iterable[AnswerRow], questions: Sequence[str], dropped: Dropped
) -> Iterator[AnswerRow]:
    """Rows whose question no evaluation asks in nearly the same words, and none twice."""
    evaluated = NearDuplicates()
    for text in questions:
        evaluated.add(text)
    seen: set[AnswerRow] = set()
    for row in rows:
        example = {"question": row.question, "answer": row.answer}
        asked = evaluated.match(row.question)
        # What leans on the turn before ("and for sale items?") is asked of many things.
        if asked is not None and not row.history:
            dropped.note("asked in an evaluation", example | {"detail": questions[asked]})
        elif row in seen:
            dropped.note("exact duplicate", example)
        else:
            seen.add(row)
            yield row
