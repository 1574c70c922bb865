"""What every reader shares: the result of reading, and the step from values to an article."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from knowledge_base.article import Article, article_from
from knowledge_base.chunking import headings, slugify
from knowledge_base.curated import CuratedAnswer
from knowledge_base.decoding import decode
from knowledge_base.errors import BadArticle

MAX_FILE_BYTES = 20_000_000  # one document; an export of articles may be larger
MAX_ROWS_FILE_BYTES = 500_000_000
_ROW = re.compile(r":\d+$")
_ADDRESS = re.compile(r"https?://", re.IGNORECASE)


LISTS = (".urls", ".txt")
"""Files that may hold addresses of pages instead of text."""


def unreadable(error: Exception) -> str:
    """What is said of a file or page whose parser broke."""
    return f"cannot be read: {type(error).__name__}: {error}"


@dataclass(frozen=True)
class Failure:
    """One file, row or address that was skipped."""

    file: str
    line: int | None
    reason: str

    def __str__(self) -> str:
        return f"{self.file}{f':{self.line}' if self.line else ''}: {self.reason}"

    @classmethod
    def at(cls, origin: str, reason: str) -> Failure:
        """``origin`` as an article has it: a path, ``path:line``, or an address."""
        name = file_of(origin)
        return cls(name, int(origin[len(name) + 1 :]) if name != origin else None, reason)


Item = Article | CuratedAnswer


@dataclass
class Reading:
    """What a path held. ``notes`` are oddities that did not stop anything."""

    articles: list[Article] = field(default_factory=list)
    curated: list[CuratedAnswer] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    notes: list[Failure] = field(default_factory=list)

    def note(self, name: str, reason: str | None) -> None:
        if reason:
            self.notes.append(Failure(name, None, reason))


Reader = Callable[[Path, str, Reading], Iterator[Item | Failure]]
"""(file, its path within the source, where notes go) -> what the file holds and what failed."""


def is_address(text: str) -> bool:
    return bool(_ADDRESS.match(text))


def file_of(origin: str) -> str:
    """The file or address that an origin lies in."""
    return origin if is_address(origin) else _ROW.sub("", origin)


def read_text(file: Path, name: str, reading: Reading) -> str:
    """Raises BadArticle for bytes that are no text; an assumed encoding is noted."""
    text, note = decode(file.read_bytes())
    reading.note(name, note)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def document(values: Mapping[str, Any], text: str, name: str, title: str = "") -> Article:
    """An article from one document; id from its path and title from its first heading
    (or ``title``), where they are not given. Raises BadArticle."""
    first = next((item for item in headings(text) if item.level == 1), None)
    stem = name.rsplit(".", 1)[0]
    named = re.sub(r"[-_]+", " ", stem.rsplit("/", 1)[-1]).strip()
    given = {
        "id": slugify(re.sub(r"[/.]", "-", stem)),
        "title": first.text if first else title or named,
        "text": text,
    }
    present = {key: value for key, value in values.items() if value not in (None, "")}
    if "text" in present:
        raise BadArticle("front matter may not hold 'text'; it is what follows")
    return article_from(given | present, origin=name)
