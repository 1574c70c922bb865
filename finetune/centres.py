"""Invented help centres with questions: ``data/answers/centres/*.jsonl``.

A file is one company: its articles, then questions with the words of the articles that prove
the answer. Every company is another one, so what is learned from them is to read, not facts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from chatbot.errors import SetupError
from chatbot.types import HistoryMessage
from knowledge_base.article import Article
from knowledge_base.chunking import Chunk, chunk
from knowledge_base.plain import plain_text
from knowledge_base.query import search_queries
from knowledge_base.units import units

FOLDER = Path(__file__).parent / "data" / "answers" / "centres"
DEV = ("a10-", "b10-")
"""Files that nothing is trained on: other kinds of business, for choosing and for stopping."""

_WORD = re.compile(r"\w+(?:[.,]\d+)*|[£€$%]")
_HELD = 0.85  # of an evidence's words in a unit: the unit holds it
_LIKE = 0.6  # of a unit's words in an evidence: perhaps it answers as well


@dataclass(frozen=True)
class Question:
    """``evidence`` are (article id, words of it); ``answer`` has ``[[article id]]`` marks."""

    text: str
    kind: str
    history: tuple[HistoryMessage, ...]
    evidence: tuple[tuple[str, str], ...]
    answer: str
    near: tuple[str, ...]

    @property
    def queries(self) -> tuple[str, ...]:
        return search_queries([(m.role, m.text) for m in self.history], self.text)


@dataclass(frozen=True)
class Centre:
    name: str
    articles: tuple[Article, ...]
    questions: tuple[Question, ...]

    @cached_property
    def chunks(self) -> tuple[Chunk, ...]:
        return tuple(one for article in self.articles for one in chunk(article))


def read_centres(folder: Path = FOLDER, *, dev: bool = False) -> list[Centre]:
    """The companies to learn from, or with ``dev`` those kept apart. Raises SetupError naming
    file and line for what cannot be used."""
    return [
        _read(path) for path in sorted(folder.glob("*.jsonl")) if path.name.startswith(DEV) == dev
    ]


def labels(question: Question, one: Chunk) -> list[int | None]:
    """For each unit of a chunk: 1 holds evidence, 0 does not, None nobody can tell."""
    proofs = [(article, _words(plain_text(text))) for article, text in question.evidence]
    found: list[int | None] = []
    for unit in units(one.text):
        own = _words(unit)
        held = any(
            article == one.article and len(words & own) >= _HELD * len(words)
            for article, words in proofs
        )
        like = any(len(words & own) >= _LIKE * len(own) for _, words in proofs)
        found.append(1 if held else None if like else 0)
    return found


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))


def _read(path: Path) -> Centre:
    articles: list[Article] = []
    questions: list[Question] = []
    for number, content in _lines(path):
        where = f"{path}:{number}"
        try:
            if content["kind"] == "article":
                articles.append(
                    Article(id=content["id"], title=content["title"], text=content["text"])
                )
            else:
                questions.append(_question(content, {a.id: a.text for a in articles}, where))
        except (KeyError, TypeError) as error:
            raise SetupError(f"{where}: a field is missing or of another kind ({error})") from None
    return Centre(path.stem, tuple(articles), tuple(questions))


def _question(content: dict[str, Any], texts: dict[str, str], where: str) -> Question:
    evidence = tuple((e["article"], e["text"]) for e in content["evidence"])
    for article, text in evidence:
        if text not in texts.get(article, ""):
            raise SetupError(f"{where}: {text!r} does not stand in article {article!r}")
    if bool(evidence) != bool(content["answer"].strip()):
        raise SetupError(f"{where}: an answer needs evidence, and evidence an answer")
    return Question(
        text=content["question"],
        kind=content["type"],
        history=tuple(HistoryMessage(m["role"], m["text"]) for m in content.get("history", ())),
        evidence=evidence,
        answer=content["answer"],
        near=tuple(content.get("near", ())),
    )


def _lines(path: Path) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except json.JSONDecodeError as error:
                raise SetupError(f"{path}:{number}: not JSON ({error.msg})") from None


def check(centres: Sequence[Centre]) -> list[str]:
    """What a reader of the data should look at: evidence that no unit holds."""
    return [
        f"{centre.name}: {question.text!r}"
        for centre in centres
        for question in centre.questions
        if question.evidence and not any(1 in labels(question, one) for one in centre.chunks)
    ]
