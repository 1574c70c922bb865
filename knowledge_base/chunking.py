"""Cuts an article into passages by its structure.

A chunk never spans two headings. Lists and tables stay whole when they fit; what does not
fit is cut between sentences, list items or table rows; the head of a table and the line that
introduces a list are repeated (see ``blocks``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from knowledge_base.article import Article
from knowledge_base.blocks import blocks_of, count_tokens, pack, parser

CHUNKING = 1  # raised when the same text gives other chunks; then all articles are cut anew
MAX_TOKENS = 200  # estimated; below the encoder's 256, so that nothing embedded is cut off
PREFIX_TOKENS = 60  # of those, at most, for the title path


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
    tokens = parser().parse(text)
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
        for text in pack(list(blocks_of(body)), budget):
            chunks.append(Chunk(article.id, len(chunks), article.title, heading, anchor, text))
    return chunks or [Chunk(article.id, 0, article.title, "", "", article.text[:1000])]


def _prefix(title: str, heading: str) -> str:
    path = f"{title} > {heading}" if heading else title
    while count_tokens(path) > PREFIX_TOKENS:
        path = path[: len(path) * 3 // 4].rstrip()
    return path


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
