"""Markdown to the plain lines that a small model reads and copies well.

A table row far below its header is beyond a model of this size, so each row carries its
column names: ``Country Germany: Standard €4.95; Express €11.95``.
"""

from __future__ import annotations

import re

_LINK = re.compile(r"!?\[([^\]]*)\]\([^)\s]*(?:\s+\"[^\"]*\")?\)")
_EMPHASIS = re.compile(r"\*\*|__|`|(?<!\w)[*_](?=\S)|(?<=\S)[*_](?!\w)")
_MARK = re.compile(r"\[(\d+(?:\s*,\s*\d+)*)\]")
_RULE = re.compile(r"^\s*\|?\s*:?-{2,}:?\s*(\|\s*:?-{2,}:?\s*)*\|?\s*$")
_BULLET = re.compile(r"^\s*[*+•]\s+")
_ITEM = re.compile(r"^\s*[-*+•]\s+")


def plain_text(markdown: str, *, legible: bool = False) -> str:
    """Lines without emphasis, links or tables. ``[2]`` becomes ``(2)``, so that no text can
    pose as a passage number. ``legible`` sets the cells of a row apart, for people:
    ``Country Germany – Standard: €4.95; Express: €11.95``."""
    lines: list[str] = []
    header: list[str] | None = None
    source = markdown.splitlines()
    for position, line in enumerate(source):
        if "|" in line and position + 1 < len(source) and _RULE.match(source[position + 1]):
            header = _cells(line)
        elif header is not None and _RULE.match(line):
            continue
        elif header is not None and line.strip().startswith("|"):
            lines.append(_row(header, _cells(line), legible))
        else:
            header = None
            lines.append(_BULLET.sub("- ", line.strip().lstrip("#").strip()))
    text = _LINK.sub(r"\1", "\n".join(lines))
    text = _MARK.sub(r"(\1)", _EMPHASIS.sub("", text))
    return re.sub(r"\n{2,}", "\n", text).strip()


def bullets(markdown: str) -> frozenset[str]:
    """Plain texts of the list items, which ``plain_text`` marks like the rows of a table."""
    marked = "\n".join(line for line in markdown.splitlines() if _ITEM.match(line))
    return frozenset(line.removeprefix("- ").strip() for line in plain_text(marked).split("\n"))


def first_words(text: str, count: int) -> str:
    """At most ``count`` words, cut at a line or sentence end where one is near."""
    words = list(re.finditer(r"\S+", text))
    if len(words) <= count:
        return text
    cut = text[: words[count - 1].end()]
    end = max(cut.rfind("\n"), cut.rfind(". ") + 1, cut.rfind("! ") + 1, cut.rfind("? ") + 1)
    return cut[:end].rstrip() if end > len(cut) * 0.6 else cut + " …"


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _row(header: list[str], cells: list[str], legible: bool) -> str:
    if len(cells) < 2:
        return f"- {' '.join(cells)}"
    of_row, of_cell = (" –", ":") if legible else (":", "")
    pairs = zip(header[1:], cells[1:], strict=False)
    named = [
        f"{name}{'' if name.endswith('?') else of_cell} {cell}".strip() if name else cell
        for name, cell in pairs
    ]
    return f"- {_named(header[0], cells[0])}{of_row} {'; '.join(named)}"


def _named(name: str, cell: str) -> str:
    """``Size 42``; but not ``To Germany`` or ``Plan Basic plan``, and no name before a long
    first cell."""
    if len(name) < 3 or len(cell.split()) > 3 or name.lower() in cell.lower():
        return cell
    return f"{name} {cell}"
