"""What the tagger sees of a token beside its letters: the encoder's vocabulary has neither capitals
nor line ends, and both tell a name from a word and where an address goes on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_SENTENCE_END: Final = frozenset(".!?:")
KINDS: Final = 16
PLACES: Final = 3
SHAPES: Final = KINDS * PLACES
"""Shapes are 0 (no token of the text) to SHAPES - 1: kind + KINDS * place."""

_LOWER, _TITLE, _UPPER, _INITIAL, _MIXED, _CASELESS = range(1, 7)
_FIRST_DIGITS: Final = 7  # kinds 7 to 12: digits alone, by their number
_DIGITS: Final = (2, 3, 4, 5, 8)
_DIGIT_FIRST, _LETTER_FIRST, _SIGN = 13, 14, 15
_INSIDE, _SENTENCE, _LINE = range(3)


def shapes_of(text: str, offsets: Sequence[tuple[int, int]]) -> list[int]:
    """One shape a token, that of the word which the token is part of; 0 for special tokens."""
    at = [0] * len(text)
    end = 0
    for match in _WORD.finditer(text):
        place = _place(text[end : match.start()], first=end == 0)
        shape = _kind(match[0]) + KINDS * place
        at[match.start() : match.end()] = [shape] * (match.end() - match.start())
        end = match.end()
    return [0 if start == stop else at[start] or _SIGN for start, stop in offsets]


def _place(between: str, *, first: bool) -> int:
    if first or "\n" in between:
        return _LINE
    return _SENTENCE if _SENTENCE_END & set(between) else _INSIDE


def _kind(word: str) -> int:
    if word.isdigit():
        size = len(word)
        return _FIRST_DIGITS + sum(size > most for most in _DIGITS)
    if any(c.isdigit() for c in word):
        return _DIGIT_FIRST if word[0].isdigit() else _LETTER_FIRST
    if word.islower():
        return _LOWER
    if word.isupper():
        return _INITIAL if len(word) == 1 else _UPPER
    if word[0].isupper() and word[1:].islower():
        return _TITLE
    return _MIXED if word.lower() != word.upper() else _CASELESS
