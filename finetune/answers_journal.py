"""Answers of an evaluation as they come, on disk, so that an interrupted one goes on."""

from __future__ import annotations

import json
from pathlib import Path

from finetune.answers_judge import Judged


class Journal:
    """A JSON line an answer, ``{"row": 12, "question": ..., "answer": ...}``, each whole once it
    stands there. ``file`` must be named after everything that an answer hangs on."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.known: dict[int, Judged] = {}
        """Answers of an earlier attempt, by the number of their row."""
        written = file.read_bytes() if file.exists() else b""
        for line in written.splitlines():
            try:
                content = json.loads(line)
            except ValueError:
                continue  # cut off by what interrupted it
            number = content.pop("row")
            self.known[number] = Judged(**content)
        if written and not written.endswith(b"\n"):
            file.write_bytes(written + b"\n")

    def add(self, row: int, judged: Judged) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"row": row, **judged.as_json()}, ensure_ascii=False)
        with self.file.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    def close(self) -> None:
        """The answers are kept elsewhere now."""
        self.file.unlink(missing_ok=True)
