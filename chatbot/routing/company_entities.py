"""A company's own entities beside the router's, and the values of all of them."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Self

from chatbot.company_regex import PatternTooSlow
from chatbot.routing.entity_file import CompanyPattern, read_patterns
from chatbot.routing.values import Values
from chatbot.types import Entity
from chatbot.watched_file import Watched

log = logging.getLogger(__name__)

MAX_READ = 20_000  # as far as the screen reads a message


class CompanyEntities:
    """The patterns of ``entities.toml`` in force. Thread-safe; the file may be missing."""

    def __init__(self, file: Watched[tuple[CompanyPattern, ...]], languages: Sequence[str]) -> None:
        self._file = file
        self._languages = tuple(dict.fromkeys(languages))
        self.timeouts = 0
        """Messages in which a pattern was left out because it took too long."""

    @classmethod
    def load(cls, path: Path, languages: Sequence[str] = ("en",)) -> Self:
        """Raises SetupError with the line when the file cannot be used."""
        return cls(Watched(path, read_patterns), languages)

    @property
    def problem(self) -> str | None:
        """Why the newest edit of the file is not in force; None when it is."""
        return self._file.problem

    def find(self, text: str) -> list[Entity]:
        """Spans of the company's patterns, in order; where two overlap the longer one. A pattern
        that takes too long is left out, unless what it finds is personal: then PatternTooSlow."""
        found = []
        for pattern in self._file.current:
            try:
                spans = pattern.finds(text[:MAX_READ])
            except PatternTooSlow:
                self.timeouts += 1
                if pattern.personal:
                    raise  # what it would have hidden must neither be prompted nor leave
                log.warning("the pattern of entity %s took too long; left out", pattern.label)
                continue
            for start, end in spans:
                said = text[start:end]
                value = re.sub(r"\s", "", said).upper()
                found.append(
                    Entity(
                        pattern.label, start, end, said, value, "company", personal=pattern.personal
                    )
                )
        return without_overlap(sorted(found, key=lambda e: (e.start - e.end, e.start)))

    def complete(self, text: str, entities: Iterable[Entity], today: date) -> tuple[Entity, ...]:
        """``entities`` of ``text`` with the company's own, which win, each with its value."""
        merged = without_overlap([*self.find(text), *entities])
        return Values(today, self._languages).complete(merged)


def without_overlap(entities: Iterable[Entity]) -> list[Entity]:
    """Of overlapping ones the first given; the rest by position."""
    kept: list[Entity] = []
    for entity in entities:
        if all(entity.end <= k.start or entity.start >= k.end for k in kept):
            kept.append(entity)
    return sorted(kept, key=lambda e: e.start)
