"""On which line of a TOML file a key stands; ``tomllib`` does not say."""

from __future__ import annotations

import re
from collections.abc import Iterable

_TABLE = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_\"'-]+)\s*=")


class TomlLines:
    """Lines by path: ``("targets", "urgent_within_s")``, ``("late", 1, "do")``."""

    def __init__(self, text: str) -> None:
        self._numbers: dict[tuple[str | int, ...], int] = {}
        seen: dict[tuple[str | int, ...], int] = {}
        table: tuple[str | int, ...] = ()
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
