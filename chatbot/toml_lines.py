"""Where a mistake of a hand-written TOML file stands, which neither tomllib nor pydantic says."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from chatbot.errors import SetupError

_TABLE = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_\"'-]+)\s*=")

Place = tuple[str | int, ...]
"""``("targets", "urgent_within_s")``, or ``("late", 1, "do")`` in the second ``[[late]]``."""


def near(name: str, known: Iterable[str]) -> str:
    """A hint at the known name that is spelt most like it; empty where none is."""
    found = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {found[0]!r}?" if found else ""


class Lines:
    """Line numbers of the tables and keys of one file."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self._numbers: dict[Place, int] = {}
        seen: dict[Place, int] = {}
        table: Place = ()
        for number, line in enumerate(text.splitlines(), start=1):
            if found := _TABLE.match(line):
                table = tuple(part.strip(" \"'") for part in found[2].split("."))
                if found[1] == "[[":
                    seen[table] = seen.get(table, -1) + 1
                    table = (*table, seen[table])
                self._numbers.setdefault(table, number)
            elif found := _KEY.match(line):
                self._numbers.setdefault((*table, found[1].strip("\"'")), number)

    def of(self, place: Iterable[str | int]) -> int | None:
        """The line of the place, or of the nearest table around it; None if there is none."""
        parts = tuple(place)
        while parts:
            if parts in self._numbers:
                return self._numbers[parts]
            parts = parts[:-1]
        return None

    def fault(self, place: Iterable[str | int], reason: str) -> SetupError:
        """With ``path:line:`` in front of the reason."""
        line = self.of(place)
        return SetupError(f"{self.path}:{line}: {reason}" if line else f"{self.path}: {reason}")

    def error(self, place: Sequence[str | int], reason: str) -> SetupError:
        """As ``fault``, with the place's table between them."""
        table = ".".join(map(str, place[:-1] or place))
        return self.fault(place, f"[{table}] {reason}")
