"""Rows for the answer model: one question, the passages it is asked with, and the answer.

{"question": "...", "passages": [{"title", "heading", "text"}], "answer": "... [1].",
 "history": [{"role": "customer", "text": "..."}], "kind": "lookup", "company": "..."}
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from chatbot.answering.citations import split_marks
from chatbot.answering.prompt import ABSTENTION, build_segments, encode, text_ids
from chatbot.errors import SetupError
from chatbot.types import HistoryMessage, Passage

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED = -100
"""Label of a token that carries no loss (PyTorch's default ``ignore_index``)."""


@dataclass(frozen=True)
class PassageText:
    title: str
    heading: str
    text: str


@dataclass(frozen=True)
class AnswerRow:
    """``kind`` only groups the figures; ``company`` fills the instructions. ``must`` are the
    regular expressions by which evaluation judges, ``gold`` the right passage numbers."""

    question: str
    passages: tuple[PassageText, ...]
    answer: str
    history: tuple[HistoryMessage, ...] = ()
    kind: str = "answer"
    company: str = "our shop"
    must: tuple[str, ...] = ()
    gold: tuple[int, ...] = field(default=())

    @property
    def abstains(self) -> bool:
        return self.answer.strip() == ABSTENTION

    def as_passages(self) -> tuple[Passage, ...]:
        return tuple(
            Passage(f"p{n}", "0" * 12, f"p{n}#0", p.title, p.heading, "", p.text, 1.0)
            for n, p in enumerate(self.passages, 1)
        )


def read_rows(paths: Iterable[Path]) -> list[AnswerRow]:
    """Raises SetupError naming file, line and field for the first row that cannot be used."""
    return [row for path in paths for row in _read(path)]


def write_rows(path: Path, rows: Iterable[AnswerRow]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(asdict(row), ensure_ascii=False) + "\n")


def data_digest(rows: Sequence[AnswerRow]) -> str:
    content = json.dumps([asdict(row) for row in rows], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()


def encode_row(
    tokenizer: PreTrainedTokenizerBase, row: AnswerRow, max_tokens: int
) -> dict[str, list[int]] | None:
    """``input_ids`` as serving builds them, then the answer and the stop token; ``labels``
    hold IGNORED up to the answer. Distractors are left out, last first, until the row fits;
    None if it does not even then."""
    end = tokenizer.eos_token_id
    while True:
        segments = build_segments(row.company, row.as_passages(), row.history, row.question)
        prompt = encode(tokenizer, segments)
        answer = [*text_ids(tokenizer, row.answer.strip()), end]
        if len(prompt) + len(answer) <= max_tokens:
            return {
                "input_ids": prompt + answer,
                "labels": [IGNORED] * len(prompt) + answer,
            }
        _, cited = split_marks(row.answer, len(row.passages))
        if len(row.passages) <= max(cited, default=1):
            return None
        row = replace(row, passages=row.passages[:-1])


def _read(path: Path) -> Iterator[AnswerRow]:
    if not path.exists():
        raise SetupError(f"{path} does not exist; make it with 'python -m finetune prepare'")
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield _row(line, f"{path}:{number}")


def _row(line: str, where: str) -> AnswerRow:
    try:
        content: Any = json.loads(line)
    except json.JSONDecodeError as error:
        raise SetupError(f"{where}: not JSON ({error.msg}); one object a line is needed") from None
    return parsed_row(content, where)


def parsed_row(content: Any, where: str) -> AnswerRow:
    """Raises SetupError naming the field of ``where`` that cannot be used."""
    if not isinstance(content, dict):
        raise SetupError(f"{where}: an object is needed, not {type(content).__name__}")
    for name in ("question", "answer"):
        if not isinstance(content.get(name), str) or not content[name].strip():
            raise SetupError(f"{where}: {name!r} is missing or empty")
    try:
        passages = tuple(
            PassageText(str(p.get("title", "")), str(p.get("heading", "")), str(p["text"]))
            for p in content.get("passages", ())
        )
        history = tuple(
            HistoryMessage(_role(m["role"]), str(m["text"])) for m in content.get("history", ())
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise SetupError(
            f"{where}: a passage needs 'text', a history message 'role' (customer, bot, person) "
            f"and 'text' ({error})"
        ) from None
    row = AnswerRow(
        question=content["question"],
        passages=passages,
        answer=content["answer"],
        history=history,
        kind=str(content.get("kind", "answer")),
        company=str(content.get("company", "our shop")),
        must=tuple(content.get("must") or ()),
        gold=tuple(content.get("gold") or ()),
    )
    outside = [n for n in _named(row.answer) if not 1 <= n <= len(passages)]
    if outside:
        raise SetupError(f"{where}: the answer cites [{outside[0]}] of {len(passages)} passages")
    return row


def _role(name: str) -> Literal["customer", "bot", "person"]:
    if name not in ("customer", "bot", "person"):
        raise ValueError(f"role {name!r}")
    return name  # type: ignore[return-value]


def _named(text: str) -> list[int]:
    marks = re.findall(r"\[(\d+(?:\s*,\s*\d+)*)\]", text)
    return [int(number) for mark in marks for number in mark.split(",")]
