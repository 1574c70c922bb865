"""Sentences of a text that is still being written.

Every decision looks at the sentence so far and a few characters after it, never further
left, and waits until those characters are there. So any cutting of a text into pieces gives
the same sentences as the whole text (``tests/answering/test_sentences.py`` holds it to that).
"""

from __future__ import annotations

import re

_ABBREVIATION = re.compile(
    r"mr|mrs|ms|dr|prof|st|nos?|nr|vs|approx|art|fig|ref|tel|ext|incl|excl|max|min|e\.g|i\.e|cf"
    r"|resp|gen|sen|rep|hon|dept|est|jan|feb|apr|jun|jul|aug|sept?|oct|nov|dec",
    re.IGNORECASE,
)
_LIST_MARK = re.compile(r"^\s*(?:\(?\d{1,3}[.)]|[A-Za-z][.)]|[-*•–])$")
_INITIAL = re.compile(r"(?:^|[\s(\"'“‘])[A-Z]\.$")
_WORD_BEFORE = re.compile(r"([A-Za-z][A-Za-z.]*)\.$")
# Terminators, closing quotes and brackets, then citation marks with or without a space.
_END = re.compile(r"[.!?…]+[\"'”’»)\]]*(?: ?\[\d+(?:[ ,]*\d+)*\])*")
_WIDE_END = re.compile(r"[。！？]+[”’」』）]*(?: ?\[\d+(?:[ ,]*\d+)*\])*")
_MAYBE_MARK = re.compile(r" ?(?:\[[\d, ]*)?")
_MAX_SENTENCE_CHARS = 1200
"""A text without any end is cut here at a space: the gate must see something."""


class SentenceStream:
    """Feed pieces, get finished sentences.

    A returned string keeps the white space that stood before it, so the strings joined are
    the text itself; a line break always ends a sentence, which makes each list item one.
    """

    def __init__(self) -> None:
        self._buffer = ""

    def feed(self, piece: str) -> list[str]:
        self._buffer += piece
        return self._take(final=False)

    def finish(self) -> list[str]:
        """What is left. The stream can be used again afterwards."""
        found = self._take(final=True)
        if self._buffer.strip():
            found.append(self._buffer)
        self._buffer = ""
        return found

    def _take(self, *, final: bool) -> list[str]:
        found = []
        while (end := _first_end(self._buffer, final)) is not None:
            found.append(self._buffer[:end])
            self._buffer = self._buffer[end:]
        return found


def split_sentences(text: str) -> list[str]:
    """The sentences of a whole text, without white space around them."""
    stream = SentenceStream()
    return [s.strip() for s in [*stream.feed(text), *stream.finish()]]


def _first_end(text: str, final: bool) -> int | None:
    """Where the first sentence ends, or None where that is not sure yet (or not there)."""
    start = len(text) - len(text.lstrip())
    position = start
    while position < len(text):
        character = text[position]
        too_long = position - start >= _MAX_SENTENCE_CHARS and character == " "
        if (character == "\n" and position > start) or too_long:
            return position
        match = _WIDE_END.match(text, position) or _END.match(text, position)
        if match is None:
            position += 1
            continue
        rest = text[match.end() :]
        if not final and _MAYBE_MARK.fullmatch(rest):
            return None  # more of the mark, the dots or the quotes may follow
        if match.re is _WIDE_END or _ends(text[start : match.end()], match.group(), rest):
            return match.end()
        position = match.end()
    return None


def _ends(sentence: str, end: str, rest: str) -> bool:
    following = rest.lstrip(" \t")[:1]
    if not following or following == "\n":
        return following == "\n"  # white space alone may go on; ``finish`` returns it whole
    if rest[0] not in " \t" or following.islower() or following in ",;:)":
        return False
    if _LIST_MARK.match(sentence):
        return False
    if end != ".":  # '!', '?', a quote, a mark or several dots: no abbreviation looks like that
        return True
    word = _WORD_BEFORE.search(sentence)
    if word is not None and _ABBREVIATION.fullmatch(word.group(1)):
        # 'No. 5' and 'max. 30' go on; 'No. You ...' is an answer.
        return word.group(1).lower() in {"no", "max", "min"} and not following.isdigit()
    return not _INITIAL.search(sentence)
