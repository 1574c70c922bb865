"""Web pages as Markdown. Scripts, styles, navigation and forms never become text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

from knowledge_base.errors import BadArticle
from knowledge_base.readers.base import Failure, Item, Reading, document, read_text

_DROPPED = frozenset(
    {"script", "style", "noscript", "template", "svg", "math", "iframe", "object", "form"}
    | {"nav", "button", "select", "textarea", "canvas", "audio", "video", "head"}
)
_FRAME = frozenset({"header", "footer", "aside"})  # of the site; inside an article, its own
_MAIN = frozenset({"main", "article"})
_BLOCKS = frozenset(
    {"p", "div", "section", "article", "main", "blockquote", "figure", "pre", "dl", "dt", "dd"}
    | {"address", "header", "footer", "aside"}
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_FIELDS = ("id", "url", "locale", "audience", "valid_from", "valid_until", "supersedes", "tags")


@dataclass(frozen=True)
class Page:
    text: str
    """Markdown of the page's ``main`` or ``article`` where it has one."""
    title: str
    fields: dict[str, str]
    """Article fields out of ``<meta name="valid_until" content="…">`` and ``<html lang>``."""


def read_page(file: Path, name: str, reading: Reading) -> Iterator[Item | Failure]:
    """One web page saved as HTML."""
    page = parse_page(read_text(file, name, reading))
    if not page.title and not re.search(r"^# ", page.text, re.MULTILINE):
        raise BadArticle("the page has neither a title nor a heading")
    yield document(page.fields, page.text, name, page.title)


def parse_page(html: str) -> Page:
    parser = _Converter()
    parser.feed(html)
    parser.close()
    fields = {key: parser.meta[key] for key in _FIELDS if parser.meta.get(key)}
    return Page(parser.markdown(), " ".join(parser.title.split()), fields)


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
        self._main: list[int] = []  # where main or article begins and ends in parts
        self._depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._about_page(tag, dict(attrs))
        if self._dropped or tag in _DROPPED or (tag in _FRAME and not self._depth):
            if tag in _DROPPED or tag in _FRAME:
                self._dropped.append(tag)
            return
        if tag in _MAIN:
            self._depth += 1
            if not self._main:
                self._main.append(len(self.parts))
        if tag in ("table", "tr", "td", "th"):
            self._open_table(tag)
        elif self._cells is not None:
            self._write(" ")  # a cell holds one line
        elif tag in _HEADINGS:
            self.parts.append(f"\n\n{'#' * _HEADINGS[tag]} ")
        elif tag in ("ul", "ol"):
            self.parts.append("\n" if self._lists else "\n\n")
            self._lists.append(0 if tag == "ol" else None)
        elif tag == "li":
            self._item()
        elif tag == "br":
            self._write("\n")
        elif tag in _BLOCKS and not self._lists:
            self.parts.append("\n\n")

    def _about_page(self, tag: str, values: dict[str, str | None]) -> None:
        if tag == "html" and values.get("lang"):
            self.meta.setdefault("locale", values["lang"] or "")
        elif tag == "title":
            self._in_title = not self.title
        elif tag == "meta":
            self.meta[(values.get("name") or "").lower()] = values.get("content") or ""

    def _open_table(self, tag: str) -> None:
        if tag == "table":
            self._rows = 0
            self._cells = None
            self.parts.append("\n\n")
        elif tag == "tr":
            self._cells = []
        elif self._cells is not None:
            self._cells.append("")

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
        if tag in _MAIN and self._depth:
            self._depth -= 1
            if not self._depth and len(self._main) == 1:
                self._main.append(len(self.parts))
        if tag == "tr" and self._cells is not None:
            self._row(self._cells)
        elif tag in _HEADINGS and self._cells is None:
            self.parts.append("\n\n")
        elif tag in ("ul", "ol") and self._lists and self._cells is None:
            self._lists.pop()
            self.parts.append("" if self._lists else "\n\n")

    def _row(self, cells: list[str]) -> None:
        self.parts.append("| " + " | ".join(" ".join(cell.split()) for cell in cells) + " |\n")
        self._rows += 1
        if self._rows == 1:
            self.parts.append("|" + "---|" * len(cells) + "\n")
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
        """Of the main part where that has text, else of the whole page."""
        chosen = "".join(self.parts[slice(*self._main)]) if len(self._main) == 2 else ""
        lines = (chosen if chosen.strip() else "".join(self.parts)).split("\n")
        text = "\n".join(line.rstrip() if line.strip() else "" for line in lines)
        text = re.sub(r"^ +(?![-\d ])", "", text, flags=re.MULTILINE)
        return re.sub(r"\n{3,}", "\n\n", text).strip()
