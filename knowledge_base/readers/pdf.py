"""PDF by pypdf. Headings are the lines in larger type; running heads and feet are dropped."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from knowledge_base.errors import BadArticle

MAX_PAGES = 500
LARGER = 1.15  # times the size of most text: a heading
MAX_HEADING_CHARS = 120
REPEATED = 0.6  # of the pages: a line on that many is a running head or foot
PAGE_NUMBER_WORDS = 4  # "Page 3 of 12"
_MARK = re.compile(r"^\s*(?:[•▪◦‣·*\-–]|\(?\d{1,2}[.)])\s+")
_END = re.compile(r"[.!?:;。！？]['\")\]]?$")


@dataclass
class Line:
    text: str
    size: float


def pdf_markdown(path: Path) -> tuple[str, str, str | None]:
    """(Markdown, title or '', note). Raises BadArticle."""
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        reader = PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            raise BadArticle("is protected by a password; save a copy without one")
        if len(reader.pages) > MAX_PAGES:
            raise BadArticle(f"{len(reader.pages)} pages; at most {MAX_PAGES}: split it")
        pages = [_lines(page) for page in reader.pages]
        title = str((reader.metadata.title if reader.metadata else None) or "").strip()
    except PyPdfError as error:
        raise BadArticle(f"no readable PDF: {error}") from None
    empty = sum(not page for page in pages)
    if empty == len(pages):
        raise BadArticle("holds no text; if it is a scan, run text recognition (OCR) first")
    note = f"{empty} of {len(pages)} pages hold no text (pictures?)" if empty else None
    return _markdown(_without_running_lines(pages)), title, note


def _lines(page: Any) -> list[Line]:
    """The page's lines with their size of type, top to bottom as the file has them."""
    lines = [Line("", 0.0)]

    def visit(text: str, cm: Any, tm: Any, font: Any, size: float) -> None:
        scale = abs(tm[3]) * abs(cm[3]) or abs(tm[1])  # rotated type has tm[3] == 0
        for number, part in enumerate(text.split("\n")):
            if number:
                lines.append(Line("", 0.0))
            if part.strip():
                lines[-1].size = max(lines[-1].size, round(size * scale, 1))
            lines[-1].text += part

    page.extract_text(visitor_text=visit)
    return [Line(" ".join(line.text.split()), line.size) for line in lines if line.text.strip()]


def _without_running_lines(pages: list[list[Line]]) -> list[Line]:
    keys = Counter(key for page in pages for key in {_key(line) for line in page[:2] + page[-2:]})
    often = max(3.0, REPEATED * len(pages))
    repeated = {key for key, count in keys.items() if count >= often}
    return [line for page in pages for line in page if _key(line) not in repeated]


def _key(line: Line) -> str:
    """Page numbers count as equal, but no sentence that differs in a number."""
    text = line.text.casefold()
    return re.sub(r"\d+", "#", text) if len(text.split()) <= PAGE_NUMBER_WORDS else text


def _markdown(lines: list[Line]) -> str:
    weights: Counter[float] = Counter()
    for line in lines:
        weights[line.size] += len(line.text)
    body = weights.most_common(1)[0][0]
    sizes = sorted({line.size for line in lines if _heads(line, body)}, reverse=True)
    typical = max((len(line.text) for line in lines if line.size == body), default=80)
    parts: list[str] = []
    former: Line | None = None
    for line in lines:
        if _heads(line, body):
            level = min(sizes.index(line.size) + 1, 4)
            mark = f"{'#' * level} "
            together = former is not None and former.size == line.size and _heads(former, body)
            if together:  # a heading of two lines
                parts[-1] += f" {line.text}"
            else:
                parts.append(f"\n\n{mark}{line.text}")
        elif _MARK.match(line.text):
            parts.append("\n" + re.sub(r"^\s*[•▪◦‣·*–]\s*", "- ", line.text))
        elif former is None or _heads(former, body) or _ends(former, typical):
            parts.append(f"\n\n{line.text}")
        elif parts[-1].endswith("-") and line.text[:1].islower():
            parts[-1] = parts[-1][:-1] + line.text
        else:
            parts[-1] += f" {line.text}"
        former = line
    return re.sub(r"\n{3,}", "\n\n", "".join(parts)).strip()


def _heads(line: Line, body: float) -> bool:
    return line.size > LARGER * body and len(line.text) <= MAX_HEADING_CHARS


def _ends(line: Line, typical: int) -> bool:
    """A paragraph ends with a sentence that leaves part of its line free."""
    return bool(_END.search(line.text)) and len(line.text) < 0.85 * typical
