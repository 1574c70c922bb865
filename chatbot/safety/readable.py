"""A text as recognisers read it, with the way back to the text as sent.

Unlike a scoring view this keeps every digit and letter that carries a value: only invisible
characters go, and full-width, circled or foreign digits become plain ones.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

MAX_READ = 20_000
"""Characters that recognisers read; five times the longest message a customer may send.
Whoever uses the rest of a longer text must hold it or cut it: nothing beyond was looked at."""
_DASHES = dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-")
_INVISIBLE = frozenset({"Cf", "Cc"})


@dataclass(frozen=True, slots=True)
class Readable:
    """``offsets[i]`` is where character i of ``text`` stands in the text as sent."""

    text: str
    offsets: Sequence[int] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Offsets in the text as sent, end exclusive."""
        if self.offsets is None:
            return start, end
        return self.offsets[start], self.offsets[end - 1] + 1


def readable(text: str) -> Readable:
    """At most MAX_READ characters, each one plain. Linear, whatever is in the text."""
    text = text[:MAX_READ]
    if text.isascii():
        return Readable(text)
    plain: list[str] = []
    offsets: list[int] = []
    for position, character in enumerate(text):
        for c in _plain(character):
            plain.append(c)
            offsets.append(position)
    return Readable("".join(plain), offsets)


def _plain(character: str) -> str:
    if character.isascii():
        return character
    if character in _DASHES:
        return _DASHES[character]
    category = unicodedata.category(character)
    if category in _INVISIBLE:
        return ""
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category == "Cs":
        return "\ufffd"
    folded = unicodedata.normalize("NFKC", character)
    return folded if len(folded) <= 4 else character
