"""Curated answers: exact texts that staff wrote for questions that must be answered just so."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knowledge_base import fields as given
from knowledge_base.errors import BadArticle
from knowledge_base.fields import PUBLIC
from knowledge_base.files import read_lines, write_lines

MAX_ANSWER_CHARS = 4000
MAX_QUESTION_CHARS = 300
VERBATIM = 0.999  # until a threshold is calibrated, only the question itself matches
FIELDS = (
    *("id", "questions", "question", "answer", "locale", "audience", "article"),
    *("valid_from", "valid_until"),
)


@dataclass(frozen=True)
class CuratedAnswer:
    id: str
    questions: tuple[str, ...]
    answer: str
    locale: str = ""
    """'' answers in every locale."""
    audience: str = PUBLIC
    valid_from: date | None = None
    valid_until: date | None = None
    article: str | None = None
    """Id of an article to cite; while that may not be shown, neither is the answer."""
    source: str = ""
    origin: str = ""

    @cached_property
    def version(self) -> str:
        """First 12 hex digits of the SHA-256 of the content."""
        values = {k: v for k, v in self.to_json().items() if k not in ("source", "origin")}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]

    def to_json(self) -> dict[str, Any]:
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        for name in ("valid_from", "valid_until"):
            values[name] = values[name].isoformat() if values[name] else None
        return values | {"questions": list(self.questions)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> CuratedAnswer:
        return curated_from(values, values.get("source", ""), values.get("origin", ""))


def curated_from(values: Mapping[str, Any], source: str = "", origin: str = "") -> CuratedAnswer:
    """A curated answer from a JSON object or a CSV row. Raises BadArticle.

    ``questions`` is a list, or text with `` | `` or line ends in between.
    """
    given.known_fields(values, FIELDS)
    asked = values.get("questions") or values.get("question") or ()
    if isinstance(asked, str):
        asked = re.split(r"\s*\|\s*|\n+", asked)
    if not isinstance(asked, list | tuple):
        raise BadArticle(f"questions must be a list or text, not {type(asked).__name__}")
    questions = tuple(
        dict.fromkeys(given.line({"question": q}, "question", MAX_QUESTION_CHARS) for q in asked)
    )
    if not questions:
        raise BadArticle("question is missing")
    slug = "-".join(re.findall(r"\w+", questions[0].lower()))
    start, end = given.days(values)
    return CuratedAnswer(
        id=given.identity({"id": values.get("id") or slug[: given.MAX_ID_CHARS]}),
        questions=questions,
        answer=given.body(values, "answer", MAX_ANSWER_CHARS),
        locale=given.string(values, "locale").strip(),
        audience=given.audience(values),
        valid_from=start,
        valid_until=end,
        article=given.string(values, "article").strip() or None,
        source=source,
        origin=origin,
    )


@dataclass(frozen=True)
class CuratedCalibration:
    """``knowledge_base calibrate`` writes it, see ``curated_calibration``."""

    threshold: float = VERBATIM
    questions: int = 0
    """How many questions it rests on; 0 while there is too little to calibrate with."""
    figures: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, eq=False)
class CuratedSet:
    """A snapshot's curated answers; row i of ``vectors`` is the i-th question of all."""

    answers: tuple[CuratedAnswer, ...] = ()
    vectors: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    calibration: CuratedCalibration = field(default_factory=CuratedCalibration)

    @cached_property
    def questions(self) -> tuple[tuple[CuratedAnswer, str], ...]:
        return tuple((answer, asked) for answer in self.answers for asked in answer.questions)

    def vector_of(self) -> dict[str, NDArray[np.float32]]:
        pairs = zip(self.questions, self.vectors, strict=True)
        return {asked: vector for (_, asked), vector in pairs}

    def save(self, folder: Path) -> None:
        """Writes nothing for an empty set."""
        if self.answers:
            write_lines(folder / "curated.jsonl", (answer.to_json() for answer in self.answers))
            np.save(folder / "curated.npy", self.vectors)

    @classmethod
    def load(cls, folder: Path, calibration: Mapping[str, Any]) -> CuratedSet:
        if not (folder / "curated.jsonl").exists():
            return cls()
        return cls(
            answers=tuple(map(CuratedAnswer.from_json, read_lines(folder / "curated.jsonl"))),
            vectors=np.load(folder / "curated.npy", allow_pickle=False),
            calibration=CuratedCalibration(**calibration),
        )
