"""Curated answers from ``curated.jsonl`` and ``curated.csv`` (or ``curated-anything``)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from knowledge_base.curated import curated_from
from knowledge_base.errors import BadArticle
from knowledge_base.readers.base import Failure, Item, Reading
from knowledge_base.readers.rows import csv_rows, json_rows


def is_curated(file: Path) -> bool:
    stem = file.stem.lower()
    return stem == "curated" or stem.startswith(("curated-", "curated_"))


def read_curated(file: Path, name: str, reading: Reading) -> Iterator[Item | Failure]:
    """One curated answer a row, with the fields of ``CuratedAnswer``."""
    if file.suffix.lower() == ".csv":
        rows = csv_rows(file, name, reading, (("question", "answer"), ("questions", "answer")))
    else:
        rows = json_rows(file, name, reading)
    for found in rows:
        if isinstance(found, Failure):
            yield found
            continue
        line, row = found
        try:
            yield curated_from(row, origin=f"{name}:{line}")
        except BadArticle as error:
            yield Failure(name, line, str(error))
