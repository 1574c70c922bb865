"""Regular expressions that a company wrote, run under a budget.

``re`` holds the interpreter while it backtracks, so one unlucky pattern in ``policy.toml`` would
stop every turn, deadlines included. These run on ``regex``, which gives up in time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final

import regex

from chatbot.errors import Unavailable

BUDGET_S: Final = 0.2
"""A pattern that takes longer over a text is given up: 10,000 characters take a sound one below
1 ms, and ``regex`` counts the processor time of all threads."""
_RUNS: Final = tuple(piece * 2000 for piece in ("a", "1", "a1", "1-", " ", "a "))
"""Long runs on which a pattern that backtracks without end shows itself before it serves."""
_LITERAL: Final = regex.compile(r"[A-Za-z0-9#.!?]+")


class PatternTooSlow(Unavailable):
    """A company's pattern was given up. Whoever needed its word must hold."""


class CompanyRegex:
    """A compiled pattern. ``search``, ``fullmatch`` and ``finditer`` raise PatternTooSlow after
    BUDGET_S."""

    def __init__(
        self, pattern: str, *, ignore_case: bool = False, whole_words: bool = False
    ) -> None:
        """Raises ValueError, with the reason, for what is no regular expression."""
        self.pattern = pattern
        written = rf"(?<!\w)(?:{pattern})(?!\w)" if whole_words else pattern
        try:
            self._regex: Any = regex.compile(written, regex.IGNORECASE if ignore_case else 0)
        except (regex.error, OverflowError, RecursionError, MemoryError) as error:
            raise ValueError(f"{pattern!r} is no regular expression: {error}") from None

    def search(self, text: str) -> Any | None:
        return self._once(self._regex.search, text)

    def fullmatch(self, text: str) -> Any | None:
        return self._once(self._regex.fullmatch, text)

    def finditer(self, text: str) -> Iterator[Any]:
        try:
            yield from self._regex.finditer(text, timeout=BUDGET_S)
        except TimeoutError:
            raise self._too_slow(text) from None

    def probe(self) -> None:
        """Raises ValueError for a pattern that long runs of one character keep busy."""
        # A text without what the pattern needs at its end is dismissed at once: it is put there.
        ends = ("", "!", "!x1#.", f" {' '.join(_LITERAL.findall(self.pattern))}!")
        try:
            for run in _RUNS:
                for end in ends:
                    for _ in self.finditer(run + end):
                        pass
        except PatternTooSlow:
            raise ValueError(
                f"{self.pattern!r} takes too long on long text; repeat nothing that repeats"
            ) from None

    def _once(self, method: Callable[..., Any], text: str) -> Any | None:
        try:
            return method(text, timeout=BUDGET_S)
        except TimeoutError:
            raise self._too_slow(text) from None

    def _too_slow(self, text: str) -> PatternTooSlow:
        return PatternTooSlow(
            f"the pattern {self.pattern!r} took longer than {BUDGET_S:g} s over "
            f"{len(text)} characters; rewrite it so that nothing that repeats is repeated"
        )


@lru_cache(maxsize=512)
def compiled(pattern: str, *, ignore_case: bool = False) -> CompanyRegex:
    return CompanyRegex(pattern, ignore_case=ignore_case)
