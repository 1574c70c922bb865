"""Reads articles from a file or folder: one function per format behind one interface.

A bad file or row becomes a ``Failure`` and is skipped; reading never stops for one.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from knowledge_base.article import Article, article_from
from knowledge_base.chunking import headings, plain_text, slugify
from knowledge_base.decoding import decode
from knowledge_base.errors import BadArticle, NothingToRead

MAX_FILE_BYTES = 20_000_000  # one document; an export of articles may be larger
MAX_ROWS_FILE_BYTES = 500_000_000
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n---[ \t]*(?:\n|\Z)", re.DOTALL)


@dataclass(frozen=True)
class Failure:
    """One file or row that was skipped."""

    file: str
    line: int | None
    reason: str

    def __str__(self) -> str:
        return f"{self.file}{f':{self.line}' if self.line else ''}: {self.reason}"


@dataclass
class Reading:
    """What a path held. ``notes`` are oddities that did not stop anything."""

    articles: list[Article] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    notes: list[Failure] = field(default_factory=list)


Reader = Callable[[Path, str, Reading], Iterator[Article | Failure]]
"""(file, its path within the source, where notes go) -> articles and failures."""


def read_articles(path: Path, source: str) -> Reading:
    """All articles of a file or folder.

    Raises NothingToRead when the path does not exist or holds no file at all.
    """
    if not path.exists():
        raise NothingToRead(f"{path} does not exist")
    reading = Reading()
    seen: dict[str, Article] = {}
    count = 0
    for file, name in _files(path, reading):
        count += 1
        for item in _read_file(file, name, source, reading):
            if isinstance(item, Failure):
                reading.failures.append(item)
            elif item.id in seen:
                first = seen[item.id].origin
                reading.failures.append(
                    _failure(item.origin, f"id {item.id!r} is already used by {first}")
                )
            else:
                seen[item.id] = item
    reading.articles = list(seen.values())
    if not count and not reading.failures:
        kinds = ", ".join(sorted(_readers()))
        raise NothingToRead(f"{path} holds no file to read; known kinds: {kinds}")
    return reading


def _failure(origin: str, reason: str) -> Failure:
    name, _, line = origin.rpartition(":")
    return (
        Failure(name, int(line), reason)
        if name and line.isdigit()
        else Failure(origin, None, reason)
    )


def _files(path: Path, reading: Reading) -> Iterator[tuple[Path, str]]:
    """Files in a stable order. Hidden ones are left out; links may not lead outside."""
    if path.is_file():
        yield path, path.name
        return
    root = path.resolve()
    for folder, folders, names in os.walk(root):
        for name in sorted(folders):
            if (Path(folder) / name).is_symlink():
                relative = (Path(folder) / name).relative_to(root).as_posix()
                reading.failures.append(Failure(relative, None, "a linked folder is not followed"))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(folder) / name
            relative = file.relative_to(root).as_posix()
            if name.startswith("."):
                continue
            if not file.resolve().is_relative_to(root):
                reading.failures.append(
                    Failure(relative, None, "the link leads outside the folder")
                )
            elif file.suffix.lower() not in _readers():
                reading.notes.append(
                    Failure(relative, None, f"no reader for {file.suffix or name!r}")
                )
            elif not file.is_file():
                reading.failures.append(
                    Failure(relative, None, "not a regular file, or a dead link")
                )
            else:
                yield file, relative


def _read_file(file: Path, name: str, source: str, reading: Reading) -> Iterator[Article | Failure]:
    reader = _readers().get(file.suffix.lower())
    if reader is None:
        yield Failure(name, None, f"no reader for {file.suffix!r}")
        return
    rows = file.suffix.lower() in (".jsonl", ".csv")
    limit = MAX_ROWS_FILE_BYTES if rows else MAX_FILE_BYTES
    try:
        size = file.stat().st_size
        if size > limit:
            yield Failure(name, None, f"{size / 1e6:.0f} MB; at most {limit / 1e6:.0f} MB")
            return
        for item in reader(file, name, reading):
            yield _owned(item, source)
    except (OSError, BadArticle) as error:
        yield Failure(name, None, str(error))


def _owned(item: Article | Failure, source: str) -> Article | Failure:
    if isinstance(item, Failure):
        return item
    return Article.from_json(item.to_json() | {"source": source})


def _text(file: Path, name: str, reading: Reading) -> str:
    text, note = decode(file.read_bytes())
    if note:
        reading.notes.append(Failure(name, None, note))
    return text


def read_markdown(file: Path, name: str, reading: Reading) -> Iterator[Article | Failure]:
    """Markdown or plain text, with optional YAML front matter between two ``---`` lines."""
    text = _text(file, name, reading).replace("\r\n", "\n")
    values: Mapping[str, Any] = {}
    match = _FRONT_MATTER.match(text)
    if match:
        try:
            loaded = yaml.safe_load(match[1])
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = mark.line + 2 if mark else 1  # the opening '---' is line 1
            problem = getattr(error, "problem", None) or "not valid YAML"
            yield Failure(name, line, f"front matter: {problem}")
            return
        if not isinstance(loaded, dict | None):
            yield Failure(name, 1, "front matter is not a list of 'name: value' lines")
            return
        values, text = loaded or {}, text[match.end() :]
    elif text.startswith("---\n") and re.search(r"^(id|title|audience):", text[:500], re.M):
        yield Failure(name, 1, "front matter has no closing '---' line")
        return
    yield document(values, text, name)


def document(values: Mapping[str, Any], text: str, name: str) -> Article:
    """An article from one document; id from its path and title from its first heading,
    where they are not given. Raises BadArticle."""
    first = next((item for item in headings(text) if item.level == 1), None)
    stem = name.rsplit(".", 1)[0]
    given = {
        "id": slugify(stem.replace("/", "-").replace(".", "-")),
        "title": first.text if first else re.sub(r"[-_]+", " ", stem.rsplit("/", 1)[-1]).strip(),
        "text": text,
    }
    present = {key: value for key, value in values.items() if value not in (None, "")}
    if "text" in present:
        raise BadArticle("front matter may not hold 'text'; it is what follows")
    return article_from(given | present, origin=name)


def read_jsonl(file: Path, name: str, reading: Reading) -> Iterator[Article | Failure]:
    """One JSON object a line, with the fields of ``Article``."""
    text = _text(file, name, reading)
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise BadArticle(f"a JSON object is expected, not {type(row).__name__}")
            yield article_from(row, origin=f"{name}:{number}")
        except json.JSONDecodeError as error:
            yield Failure(name, number, f"not JSON: {error.msg} at column {error.colno}")
        except (BadArticle, RecursionError) as error:
            yield Failure(name, number, str(error))


def read_csv(file: Path, name: str, reading: Reading) -> Iterator[Article | Failure]:
    """A header of ``Article``'s fields, or of ``question`` and ``answer``."""
    csv.field_size_limit(MAX_FILE_BYTES)
    text = _text(file, name, reading)
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    table = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns = {(column or "").strip().lower() for column in table.fieldnames or ()}
    if not ({"question", "answer"} <= columns or {"title", "text"} <= columns):
        yield Failure(name, 1, "columns must be 'question,answer' or include 'title' and 'text'")
        return
    try:
        for row in table:
            line = table.line_num
            if None in row:
                yield Failure(name, line, f"more than {len(columns)} columns; quote the commas")
                continue
            values = {str(key).strip().lower(): value for key, value in row.items()}
            try:
                yield article_from(_faq(values, name), origin=f"{name}:{line}")
            except BadArticle as error:
                yield Failure(name, line, str(error))
    except csv.Error as error:
        yield Failure(name, table.line_num, f"not valid CSV: {error}")


def _faq(values: dict[str, Any], name: str) -> dict[str, Any]:
    """Question and answer as title and text; the id is made of the question's words."""
    row = {key: value for key, value in values.items() if key not in ("question", "answer")}
    title = (row.get("title") or values.get("question") or "").strip()
    row |= {"title": title, "text": row.get("text") or values.get("answer")}
    if not row.get("id"):
        stem = slugify(name.rsplit(".", 1)[0].replace("/", "-"))
        row["id"] = f"{stem}-{slugify(plain_text(title))}"[:200]
    return row


def read_page(file: Path, name: str, reading: Reading) -> Iterator[Article | Failure]:
    """One web page saved as HTML."""
    from knowledge_base.documents import read_html

    for article, note in read_html(file, name):
        if note:
            reading.notes.append(Failure(name, None, note))
        yield article


def _readers() -> dict[str, Reader]:
    return {
        ".md": read_markdown,
        ".markdown": read_markdown,
        ".txt": read_markdown,
        ".html": read_page,
        ".htm": read_page,
        ".jsonl": read_jsonl,
        ".csv": read_csv,
    }
