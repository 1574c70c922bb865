"""Blocks of Markdown, and how they are packed into passages of a bounded size."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from markdown_it import MarkdownIt

TARGET_WORDS = 110  # three passages of this size leave room for history in a short prompt
INTRO_TOKENS = 40  # of a line such as "You need:", to be repeated before each part of its list
_WORD = re.compile(r"[^\W\d_]+|\d+|[^\w\s]|_")
_WIDE = re.compile(r"[\u0e00-\u0eff\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_SENTENCE_END = re.compile(r"(?<=[.!?。！？])[\"')\]]*\s+")


@lru_cache(maxsize=1)
def parser() -> MarkdownIt:
    return MarkdownIt("commonmark").enable("table")


def count_tokens(text: str) -> int:
    """An estimate, on the high side, of word pieces; needs no tokenizer."""
    total = 0
    for piece in _WORD.findall(text):
        if _WIDE.search(piece):
            total += len(piece)
        elif len(piece) > 7 or not piece.isascii():
            total += -(-len(piece) // 4)
        else:
            total += 1
    return total


@dataclass(frozen=True)
class Block:
    """A top-level part of a text: paragraph, list, table or code."""

    text: str
    whole: bool
    """A list, table or code block, which is cut only when it cannot fit."""
    pieces: tuple[str, ...]
    """Where it may be cut."""
    head: str = ""
    """Repeated before each part of a cut table."""


def blocks_of(markdown: str) -> Iterator[Block]:
    """The blocks of Markdown without headings, in order."""
    lines = markdown.split("\n")
    tokens = parser().parse(markdown)
    for token in tokens:
        if token.level or token.map is None or token.nesting < 0:
            continue
        start, stop = token.map
        part = lines[start:stop]
        text = "\n".join(part).strip("\n").rstrip()
        if not text:
            continue
        if token.type in ("bullet_list_open", "ordered_list_open"):
            starts = [
                item.map[0] - start
                for item in tokens
                if item.type == "list_item_open"
                and item.level == 1
                and item.map is not None
                and start <= item.map[0] < stop
            ]
            ends = [*starts[1:], len(part)]
            items = ["\n".join(part[a:b]).rstrip() for a, b in zip(starts, ends, strict=True)]
            yield Block(text, True, tuple(items))
        elif token.type == "table_open":
            yield Block(text, True, tuple(part[2:]), head="\n".join(part[:2]))
        elif token.type in ("fence", "code_block"):
            yield Block(text, True, tuple(part))
        else:
            yield Block(text, False, tuple(_SENTENCE_END.split(text)))


def pack(blocks: Sequence[Block], budget: int) -> Iterator[str]:
    """Texts of at most ``budget`` tokens, filled up to the target number of words."""
    held = ""
    for block in blocks:
        texts = [block.text]
        if count_tokens(block.text) > budget:
            intro = held.rsplit("\n\n", 1)[-1]
            if block.whole and intro.endswith(":") and count_tokens(intro) <= INTRO_TOKENS:
                held = held[: -len(intro)].rstrip()
                parts = _cut(block, budget - count_tokens(intro))
                texts = [f"{intro}\n\n{part}" for part in parts]
            else:
                texts = list(_cut(block, budget))
        for text in texts:
            joined = f"{held}\n\n{text}" if held else text
            fits = count_tokens(joined) <= budget
            # A list or table belongs to the line that introduces it ("You need:").
            introduced = block.whole and held.endswith(":")
            if not held or (fits and (introduced or len(joined.split()) <= TARGET_WORDS)):
                held = joined
                continue
            yield held
            held = text
    if held:
        yield held


def _cut(block: Block, budget: int) -> Iterator[str]:
    """Between sentences, items or rows; the head of a table stands before each part."""
    head, pieces = block.head, block.pieces
    if count_tokens(head) > budget // 2:  # too wide to repeat
        head, pieces = "", (*head.split("\n"), *pieces)
    glue = "\n" if block.whole else " "
    room = budget - count_tokens(head)
    smaller: Callable[[str, int], Iterator[str]] = _cut_row if head else _cut_words
    held = ""
    for piece in pieces:
        for text in [piece] if count_tokens(piece) <= room else smaller(piece, room):
            joined = f"{held}{glue}{text}" if held else text
            if held and (count_tokens(joined) > room or len(joined.split()) > TARGET_WORDS):
                yield f"{head}\n{held}" if head else held
                held = text
            else:
                held = joined
    if held:
        yield f"{head}\n{held}" if head else held


def _cut_row(row: str, room: int) -> Iterator[str]:
    """Rows that repeat the short cells beside each part of a long one."""
    cells = [cell.strip() for cell in row.strip().strip("|").split("|")]
    share = (room - len(cells)) // (2 * len(cells))
    short = [cell if count_tokens(cell) <= share else "" for cell in cells]
    for place, cell in enumerate(cells):
        if short[place] != cell:
            for part in _cut_words(cell, max(room // 2 - len(cells), 1)):
                yield "| " + " | ".join([*short[:place], part, *short[place + 1 :]]) + " |"


def _cut_words(text: str, room: int) -> Iterator[str]:
    words: list[str] = []
    used = 0
    for word in text.split():
        while count_tokens(word) > room:  # one endless word: base64, a script without spaces
            yield word[:room]
            word = word[room:]  # noqa: PLW2901
        cost = count_tokens(word)
        if words and used + cost > room:
            yield " ".join(words)
            words, used = [], 0
        words.append(word)
        used += cost
    if words:
        yield " ".join(words)
