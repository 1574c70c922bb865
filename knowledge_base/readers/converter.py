"""PDF and Word documents, converted in a process of their own.

A document may be made to eat all memory or to run for ever. The child has limits of memory
and time; when one is hit, only that document fails.
"""

from __future__ import annotations

import json
import selectors
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from knowledge_base.errors import BadArticle
from knowledge_base.readers.base import Failure, Item, Reading, document

SECONDS = 60.0  # for one document; 500 pages of text take about 20
MAX_UNPACKED_BYTES = 200_000_000  # of a DOCX, which is a zip archive
MAX_ENTRIES = 10_000
_NEEDED = {".pdf": "pypdf", ".docx": "mammoth"}


class Converter:
    """Starts its child with the first document and ends it with the ``with`` block."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def read(self, file: Path, name: str, reading: Reading) -> Iterator[Item | Failure]:
        """One article from a document; ``NAME.pdf.yaml`` beside it holds its fields.

        Raises BadArticle.
        """
        kind = file.suffix.lower()
        if find_spec(_NEEDED[kind]) is None:
            raise BadArticle(
                f"reading {kind} needs {_NEEDED[kind]}; run: pip install -e '.[documents]'"
            )
        if kind == ".docx":
            check_archive(file)
        found = self._convert({"path": str(file.resolve()), "kind": kind})
        if "error" in found:
            raise BadArticle(found["error"])
        reading.note(name, found["note"])
        yield document(_beside(file), found["text"], name, found["title"])

    def _convert(self, request: dict[str, str]) -> dict[str, Any]:
        child = self._child
        if child is None or child.poll() is not None:
            child = self._child = self._start()
        assert child.stdin is not None and child.stdout is not None  # noqa: S101
        child.stdin.write(json.dumps(request).encode() + b"\n")
        child.stdin.flush()
        line = self._line(child)
        if line is None:
            self._end()
            raise BadArticle(f"not converted within {self._seconds:.0f} s")
        if not line.endswith(b"\n"):
            self._end()
            raise BadArticle("the converter broke down on it, or ran out of memory")
        answer: dict[str, Any] = json.loads(line)
        return answer

    @staticmethod
    def _start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "knowledge_base.readers.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def _line(self, child: subprocess.Popen[bytes]) -> bytes | None:
        """The child's next line, cut off where the child ended; None when time is up."""
        assert child.stdout is not None  # noqa: S101
        until = time.monotonic() + self._seconds
        received = b""
        with selectors.DefaultSelector() as selector:
            selector.register(child.stdout, selectors.EVENT_READ)
            while not received.endswith(b"\n"):
                if not selector.select(max(until - time.monotonic(), 0)):
                    return None
                part = child.stdout.read1(1 << 20)  # type: ignore[attr-defined]
                if not part:
                    break
                received += part
        return received

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                stream.close()


def check_archive(file: Path) -> None:
    """Raises BadArticle for an archive that is none, or that unpacks to too much."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OverflowError) as error:
        raise BadArticle(f"no Word document: {error}") from None
    size = sum(entry.file_size for entry in entries)
    if size > MAX_UNPACKED_BYTES or len(entries) > MAX_ENTRIES:
        raise BadArticle(
            f"unpacks to {size / 1e6:.0f} MB in {len(entries)} files; at most "
            f"{MAX_UNPACKED_BYTES / 1e6:.0f} MB in {MAX_ENTRIES}"
        )
    if any(entry.flag_bits & 1 for entry in entries):
        raise BadArticle("is protected by a password; save a copy without one")


def _beside(file: Path) -> dict[str, Any]:
    """Fields of a document that has no place for front matter."""
    path = file.with_name(f"{file.name}.yaml")
    if not path.is_file():
        return {}
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError) as error:
        problem = getattr(error, "problem", None) or error
        raise BadArticle(f"{path.name}: {problem}") from None
    if not isinstance(values, dict):
        raise BadArticle(f"{path.name} is not a list of 'name: value' lines")
    return values
