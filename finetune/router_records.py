"""Labelled files as numbered records: JSONL, or CSV with JSON in the list columns."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chatbot.errors import BadInput

UNREADABLE = ""  # no column has this name


def records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each row's number (the line in JSONL, the record in CSV, the header being 1) and fields.

    A row that is no record has the one field ``UNREADABLE``: what is wrong with it. Raises
    BadInput where the file as a whole cannot be read.
    """
    if not path.is_file():
        raise BadInput(f"{path}: no such file")
    try:
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    if path.suffix == ".csv":
        yield from _csv_records(path, content)
        return
    for number, line in enumerate(content.split("\n"), start=1):
        if line.strip():
            try:
                record = json.loads(line)
            except json.JSONDecodeError as error:
                record = {UNREADABLE: f"not JSON ({error.msg} at column {error.colno})"}
            yield number, record if isinstance(record, dict) else {UNREADABLE: "not a JSON object"}


def _csv_records(path: Path, content: str) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(content.splitlines(keepends=True))
    columns = reader.fieldnames or []
    missing = [c for c in ("text", "intent") if c not in columns]
    if missing:
        raise BadInput(
            f"{path}: column {' and '.join(missing)} missing in row 1; found {', '.join(columns)}"
        )
    for number, record in enumerate(reader, start=2):
        found: dict[str, Any] = {"text": record["text"], "intent": record["intent"]}
        try:
            if (record["intent"] or "").lstrip().startswith("["):
                found["intent"] = json.loads(record["intent"])
            if (record.get("entities") or "").strip():
                found["entities"] = json.loads(record["entities"])
        except json.JSONDecodeError as error:
            found = {UNREADABLE: f"a list column is not JSON ({error.msg})"}
        yield number, found
