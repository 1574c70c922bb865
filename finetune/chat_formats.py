"""Past conversations out of files and hub data sets: records with the place they stand at.

.jsonl/.json lines, .csv, .parquet; a hub data set by its name. What the columns mean is
``chat_records``' business.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from chatbot.errors import BadInput

FORMATS = (".jsonl", ".json", ".csv", ".parquet")


@dataclass(frozen=True)
class Unreadable:
    reason: str


Located = tuple[str, Any]
"""(where it stands, what stands there or ``Unreadable``)."""


def read_file(path: Path) -> Iterator[Located]:
    """Raises BadInput for a file that is missing or of another kind."""
    if not path.is_file():
        raise BadInput(f"{path} is not a file")
    readers = {".csv": _csv, ".parquet": _parquet, ".json": _json, ".jsonl": _json}
    if path.suffix.lower() not in readers:
        raise BadInput(f"{path}: conversations are read from {', '.join(FORMATS)}")
    return readers[path.suffix.lower()](path)


def read_hub(name: str) -> Iterator[Located]:
    """``OWNER/NAME`` or ``OWNER/NAME@SPLIT`` (default: train). Raises BadInput without a network
    or where there is no such data set."""
    from datasets import load_dataset

    repository, _, split = name.partition("@")
    try:
        found = load_dataset(repository, split=split or "train")
    except Exception as error:  # the library raises what its many back ends raise
        raise BadInput(
            f"the data set {name!r} cannot be had from the hub ({type(error).__name__}: "
            f"{str(error).splitlines()[0] if str(error) else 'no reason given'}); without a "
            "network, download its file elsewhere and give it with --chats"
        ) from error
    for number, record in enumerate(found, 1):
        yield f"{name}, row {number}", dict(record)


def _json(path: Path) -> Iterator[Located]:
    text = _text(path)
    if text.lstrip().startswith("["):
        try:
            for number, record in enumerate(json.loads(text), 1):
                yield f"{path}, row {number}", record
        except json.JSONDecodeError as error:
            yield f"{path}:{error.lineno}", Unreadable(f"not JSON ({error.msg})")
        return
    for number, line in enumerate(text.split("\n"), 1):  # a JSON string may hold U+2028
        if line.strip():
            where = f"{path}:{number}"
            try:
                yield where, json.loads(line)
            except json.JSONDecodeError as error:
                yield where, Unreadable(f"not JSON ({error.msg})")


def _csv(path: Path) -> Iterator[Located]:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    reader = csv.DictReader(StringIO(_text(path), newline=""), strict=True)
    try:
        for record in reader:
            where, columns = f"{path}:{reader.line_num}", len(reader.fieldnames or ())
            if None in record:
                yield where, Unreadable(f"more than the {columns} columns of the head")
            elif None in record.values():
                yield where, Unreadable(f"fewer than the {columns} columns of the head")
            else:
                yield where, record
    except csv.Error as error:
        yield f"{path}:{reader.line_num}", Unreadable(f"not CSV ({error})")


def _parquet(path: Path) -> Iterator[Located]:
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.ParquetFile(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise BadInput(f"{path} cannot be read as Parquet: {error}") from None
    number = 0
    for batch in table.iter_batches():
        for record in batch.to_pylist():
            number += 1
            yield f"{path}, row {number}", record


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8 (byte {error.start}); convert it first") from None
