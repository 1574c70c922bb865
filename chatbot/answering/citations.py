"""Citation marks: ``[1]``, ``[1][2]``, ``[1, 2]``, before or after the full stop."""

from __future__ import annotations

import re
from collections.abc import Iterable

_MARK = re.compile(r"\s*\[\s*(\d+(?:\s*[,;]\s*\d+)*)\s*\]")


def split_marks(text: str, passages: int) -> tuple[str, tuple[int, ...]]:
    """The text without marks, and the passage numbers named: 1..``passages``, each once, in
    the order in which they were named. Numbers outside the passages are dropped."""
    numbers: dict[int, None] = {}
    for match in _MARK.finditer(text):
        for number in re.findall(r"\d+", match.group(1)):
            if 1 <= int(number) <= passages:
                numbers[int(number)] = None
    clean = re.sub(r"[ \t]{2,}", " ", _MARK.sub("", text)).strip()
    return clean, tuple(numbers)


def with_marks(text: str, cited: Iterable[int]) -> str:
    """The inverse, in the form that the model is trained on: ``… of delivery [1].``"""
    marks = "".join(f"[{number}]" for number in cited)
    if not marks:
        return text
    match = re.search(r"[.!?…:]+[\"'”’)]*$", text)
    if match is None:
        return f"{text} {marks}"
    return f"{text[: match.start()].rstrip()} {marks}{match.group()}"
