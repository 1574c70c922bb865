"""Cuts an article into passages by its structure.

A chunk never spans two headings. Lists and tables stay whole when they fit; what does not
fit is cut between sentences, list items or table rows (the table's head is repeated).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

from markdown_it import MarkdownIt

from knowledge_base.article import Article

CHUNKING = 1  # raised when the same text gives other chunks; then all articles are cut anew
TARGET_WORDS = 110  # three passages of this size leave room for history in a short prompt
MAX_TOKENS = 200  # estimated; below the encoder's 256, so that nothing embedded is cut off
PREFIX_TOKENS = 60  # of those, at most, for the title path

_WORD = re.compile(r"[^\W\d_]+|\d+|[^\w\s]|_")
_WIDE = re.compile(r"[\u0e00-\u0eff\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_SENTENCE_END = re.compile(r"(?<=[.!?。！？])[\"')\]]*\s+")


@dataclass(frozen=True)
class Chunk:
    """A passage of an article before it is indexed."""

    article: str
    ordinal: int
    title: str
    heading: str
    """Path below the title, " > " between levels; empty at the top."""
    anchor: str
    text: str

    @property
    def id(self) -> str:
        return f"{self.article}#{self.ordinal}"

    @property
    def embedded(self) -> str:
        """What the encoder and BM25 read: the title path, then the text."""
        return f"{_prefix(self.title, self.heading)}\n{self.text}"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the embedded text (32 hex digits): equal text, equal vector."""
        return hashlib.sha256(self.embedded.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Heading:
    """A heading of an article's Markdown, with the anchor that its page carries."""

    level: int
    text: str
    anchor: str
    line: int
    """0-based line at which it starts; what it heads starts at ``end``."""
    end: int


def slugify(text: str) -> str:
    """GitHub's anchor of a heading: lower case, punctuation dropped, spaces to hyphens."""
    plain = re.sub(r"[^\w\- ]", "", plain_text(text).lower())
    return plain.strip().replace(" ", "-")


def plain_text(markdown: str) -> str:
    """Inline Markdown without its marks: link text stays, the address goes."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", markdown)
    text = re.sub(r"<[^>]+>", "", text)
    text = re.sub(r"(\*\*|__|``?|~~)(.+?)\1", r"\2", text)
    return re.sub(r"(?<!\w)([*_])(.+?)\1(?!\w)", r"\2", text).strip()


def headings(text: str) -> list[Heading]:
    """Headings of Markdown in order; a repeated one gets ``-1``, ``-2`` … as on GitHub."""
    found: list[Heading] = []
    seen: dict[str, int] = {}
    tokens = _parser().parse(text)
    for token, inline in pairwise(tokens):
        if token.type != "heading_open" or token.level or token.map is None:
            continue
        slug = slugify(inline.content)
        count = seen.get(slug, 0)
        seen[slug] = count + 1
        anchor = f"{slug}-{count}" if count else slug
        level = int(token.tag[1])
        found.append(Heading(level, plain_text(inline.content), anchor, *token.map))
    return found


def chunk(article: Article) -> list[Chunk]:
    """The article's passages in order; at least one when the article has any text."""
    chunks: list[Chunk] = []
    for path, anchor, body in _sections(article):
        heading = " > ".join(path)
        budget = MAX_TOKENS - count_tokens(_prefix(article.title, heading))
        for text in _pack(list(_blocks(body)), budget):
            chunks.append(Chunk(article.id, len(chunks), article.title, heading, anchor, text))
    return chunks or [Chunk(article.id, 0, article.title, "", "", article.text[:1000])]


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


def _prefix(title: str, heading: str) -> str:
    path = f"{title} > {heading}" if heading else title
    while count_tokens(path) > PREFIX_TOKENS:
        path = path[: len(path) * 3 // 4].rstrip()
    return path


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark").enable("table")


def _sections(article: Article) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """(heading path, anchor, Markdown) of each part between two headings."""
    lines = article.text.split("\n")
    found = headings(article.text)
    yield (), "", "\n".join(lines[: found[0].line if found else None])
    open_levels: list[tuple[int, str]] = []
    for index, heading in enumerate(found):
        open_levels = [item for item in open_levels if item[0] < heading.level]
        if not (heading.level == 1 and heading.text.casefold() == article.title.casefold()):
            open_levels.append((heading.level, heading.text))
        stop = found[index + 1].line if index + 1 < len(found) else None
        path = tuple(text for _, text in open_levels)
        yield path, heading.anchor if path else "", "\n".join(lines[heading.end : stop])


@dataclass(frozen=True)
class _Block:
    text: str
    whole: bool
    """A list, table or code block, which is cut only when it cannot fit."""
    pieces: tuple[str, ...]
    """Where it may be cut."""
    head: str = ""
    """Repeated before each part of a cut table."""


def _blocks(markdown: str) -> Iterator[_Block]:
    lines = markdown.split("\n")
    tokens = _parser().parse(markdown)
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
            yield _Block(text, True, tuple(items))
        elif token.type == "table_open":
            yield _Block(text, True, tuple(part[2:]), head="\n".join(part[:2]))
        elif token.type in ("fence", "code_block"):
            yield _Block(text, True, tuple(part))
        else:
            yield _Block(text, False, tuple(_SENTENCE_END.split(text)))


def _pack(blocks: list[_Block], budget: int) -> Iterator[str]:
    """Texts of at most ``budget`` tokens, filled up to the target number of words."""
    held = ""
    for block in blocks:
        for text in [block.text] if count_tokens(block.text) <= budget else _cut(block, budget):
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


def _cut(block: _Block, budget: int) -> Iterator[str]:
    glue = "\n" if block.whole else " "
    room = budget - count_tokens(block.head)
    held = ""
    for piece in block.pieces:
        for text in [piece] if count_tokens(piece) <= room else _cut_words(piece, room):
            joined = f"{held}{glue}{text}" if held else text
            if held and (count_tokens(joined) > room or len(joined.split()) > TARGET_WORDS):
                yield f"{block.head}\n{held}" if block.head else held
                held = text
            else:
                held = joined
    if held:
        yield f"{block.head}\n{held}" if block.head else held


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
