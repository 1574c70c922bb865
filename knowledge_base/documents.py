"""Reads web pages. Scripts, styles, navigation and forms never become text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from knowledge_base.article import Article, article_from
from knowledge_base.chunking import slugify
from knowledge_base.decoding import decode
from knowledge_base.errors import BadArticle

_DROPPED = frozenset(
    {"script", "style", "noscript", "template", "svg", "math", "iframe", "object", "form"}
    | {"nav", "header", "footer", "aside", "button", "select", "textarea", "canvas", "audio"}
    | {"video", "head"}
)
_BLOCKS = frozenset(
    {"p", "div", "section", "article", "main", "blockquote", "figure", "pre", "dl", "dt", "dd"}
    | {"address"}
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}


class _Converter(HTMLParser):
    """Turns HTML into Markdown: headings, paragraphs, lists and tables."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.title = ""
        self.meta: dict[str, str] = {}
        self._dropped: list[str] = []
        self._in_title = False
        self._lists: list[int | None] = []
        self._cells: list[str] | None = None
        self._rows = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title":
            self._in_title = True
        elif tag == "meta":
            values = dict(attrs)
            self.meta[(values.get("name") or "").lower()] = values.get("content") or ""
        if self._dropped or tag in _DROPPED:
            if tag in _DROPPED:
                self._dropped.append(tag)
            return
        if tag in _HEADINGS:
            self.parts.append(f"\n\n{'#' * _HEADINGS[tag]} ")
        elif tag in _BLOCKS and self._cells is None and not self._lists:
            self.parts.append("\n\n")
        elif tag in ("ul", "ol"):
            self.parts.append("\n" if self._lists else "\n\n")
            self._lists.append(0 if tag == "ol" else None)
        elif tag == "li":
            self._item()
        elif tag == "table":
            self._rows = 0
            self.parts.append("\n\n")
        elif tag == "tr":
            self._cells = []
        elif tag in ("td", "th") and self._cells is not None:
            self._cells.append("")
        elif tag == "br":
            self._write(" " if self._cells is not None else "\n")

    def _item(self) -> None:
        number = self._lists[-1] if self._lists else None
        mark = "- "
        if number is not None:
            self._lists[-1] = number + 1
            mark = f"{number + 1}. "
        self.parts.append(f"\n{'  ' * max(len(self._lists) - 1, 0)}{mark}")

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        if self._dropped:
            if tag in self._dropped:
                del self._dropped[self._dropped.index(tag) :]
            return
        if tag in _HEADINGS:
            self.parts.append("\n\n")
        elif tag in ("ul", "ol") and self._lists:
            self._lists.pop()
            self.parts.append("" if self._lists else "\n\n")
        elif tag == "tr" and self._cells is not None:
            row = "| " + " | ".join(" ".join(cell.split()) for cell in self._cells) + " |\n"
            self.parts.append(row)
            self._rows += 1
            if self._rows == 1:
                self.parts.append("|" + "---|" * len(self._cells) + "\n")
            self._cells = None

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
        elif not self._dropped:
            self._write(re.sub(r"\s+", " ", data))

    def _write(self, text: str) -> None:
        if self._cells is None:
            self.parts.append(text)
        elif self._cells:
            self._cells[-1] += text.replace("|", "/")

    def markdown(self) -> str:
        lines = ("".join(self.parts)).split("\n")
        text = "\n".join(line.rstrip() if line.strip() else "" for line in lines)
        text = re.sub(r"^ +(?![-\d ])", "", text, flags=re.MULTILINE)
        return re.sub(r"\n{3,}", "\n\n", text).strip()


def read_html(file: Path, name: str) -> Iterator[tuple[Article, str | None]]:
    """One article from a page, with a note on its encoding.

    ``<meta name="valid_until" content="…">`` and the other field names serve as front matter.
    Raises BadArticle.
    """
    text, note = decode(file.read_bytes())
    page = _Converter()
    page.feed(text)
    page.close()
    body = page.markdown()
    first = re.search(r"^# (.+)$", body, re.MULTILINE)
    stem = name.rsplit(".", 1)[0]
    title = " ".join((first[1] if first else page.title).split())
    if not title:
        raise BadArticle("the page has neither a title nor a heading")
    given = {"id": slugify(re.sub(r"[/.]", "-", stem)), "title": title, "text": body}
    fields = ("id", "url", "locale", "audience", "valid_from", "valid_until", "supersedes", "tags")
    meta = {key: page.meta[key] for key in fields if page.meta.get(key)}
    yield article_from(given | meta, origin=name), note
