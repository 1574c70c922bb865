"""Exports with one article a row: JSON lines and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from knowledge_base.article import article_from
from knowledge_base.chunking import plain_text, slugify
from knowledge_base.errors import BadArticle
from knowledge_base.readers.base import MAX_FILE_BYTES, Failure, Item, Reading, read_text

Row = tuple[int, dict[str, Any]]


def read_jsonl(file: Path, name: str, reading: Reading) -> Iterator[Item | Failure]:
    """One JSON object a line, with the fields of ``Article``."""
    for found in json_rows(file, name, reading):
        if isinstance(found, Failure):
            yield found
            continue
        line, row = found
        try:
            yield article_from(row, origin=f"{name}:{line}")
        except BadArticle as error:
            yield Failure(name, line, str(error))


def read_csv(file: Path, name: str, reading: Reading) -> Iterator[Item | Failure]:
    """A header of ``Article``'s fields, or of ``question`` and ``answer``."""
    for found in csv_rows(file, name, reading, (("question", "answer"), ("title", "text"))):
        if isinstance(found, Failure):
            yield found
            continue
        line, row = found
        try:
            yield article_from(_faq(row, name), origin=f"{name}:{line}")
        except BadArticle as error:
            yield Failure(name, line, str(error))


def json_rows(file: Path, name: str, reading: Reading) -> Iterator[Row | Failure]:
    """(line, object) of each line that holds one."""
    text = read_text(file, name, reading)
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            yield Failure(name, number, f"not JSON: {error.msg} at column {error.colno}")
            continue
        except (RecursionError, ValueError) as error:  # deep nesting, an endless number
            yield Failure(name, number, f"not usable JSON: {error}")
            continue
        if isinstance(row, dict):
            yield number, row
        else:
            reason = f"a JSON object is expected, not {type(row).__name__}"
            yield Failure(name, number, reason)


def csv_rows(
    file: Path, name: str, reading: Reading, needed: tuple[tuple[str, ...], ...]
) -> Iterator[Row | Failure]:
    """(line, values by lower-case column) of each row; the header must hold one of ``needed``."""
    csv.field_size_limit(MAX_FILE_BYTES)
    text = read_text(file, name, reading)
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    table = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        columns = {(column or "").strip().lower() for column in table.fieldnames or ()}
    except csv.Error as error:
        yield Failure(name, 1, f"not valid CSV: {error}")
        return
    if not any(columns.issuperset(names) for names in needed):
        choices = "', or '".join(",".join(names) for names in needed)
        yield Failure(name, 1, f"columns must be (or include) '{choices}'")
        return
    try:
        for row in table:
            line = table.line_num
            if None in row:
                yield Failure(name, line, f"more than {len(columns)} columns; quote the commas")
                continue
            yield line, {str(key).strip().lower(): value for key, value in row.items()}
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
