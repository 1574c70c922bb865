"""Where a mistake of a hand-written TOML file stands, which neither tomllib nor pydantic says."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path

from chatbot.errors import SetupError

_TABLE = re.compile(r"\s*\[\[?\s*([^\]]+?)\s*\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_\"'-]+)\s*=")


def near(name: str, known: Iterable[str]) -> str:
    """A hint at the known name that is spelt most like it; empty where none is."""
    found = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {found[0]!r}?" if found else ""


class Lines:
    """Line numbers of the tables and keys of one file."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self._numbers: dict[tuple[str, ...], int] = {}
        table: tuple[str, ...] = ()
        for number, line in enumerate(text.splitlines(), start=1):
            if found := _TABLE.match(line):
                table = tuple(part.strip(" \"'") for part in found[1].split("."))
                self._numbers.setdefault(table, number)
            elif found := _KEY.match(line):
                self._numbers.setdefault((*table, found[1].strip("\"'")), number)

    def of(self, place: Iterable[str]) -> int | None:
        """The line of the place, or of the nearest table around it."""
        parts = tuple(place)
        while parts:
            if parts in self._numbers:
                return self._numbers[parts]
            parts = parts[:-1]
        return None

    def error(self, place: list[str], reason: str) -> SetupError:
        """With ``path:line:`` in front of the table and the reason."""
        line = self.of(place)
        where = f"{self.path}:{line}" if line else f"{self.path}"
        return SetupError(f"{where}: [{'.'.join(place[:-1]) or place[0]}] {reason}")
