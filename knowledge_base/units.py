"""The smallest pieces of a passage that can answer a question by themselves.

A unit is a sentence, a list item with the line that introduces it, a table row with its column
names, or a whole numbered list. A sentence that leans on the one before it ("It must be …") is
joined with it, so that each unit says what it is about.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from knowledge_base.plain import bullets, plain_text

MAX_WORDS = 60
"""Longer neighbours are not joined, longer numbered lists stay as single steps."""

_ITEM = re.compile(r"^- +")
_STEP = re.compile(r"^\d{1,2}[.)] +")
_LEANING = re.compile(
    r"^(?:it|its|they|their|them|these|those|this|that|he|she|both|otherwise|then|after that"
    r"|afterwards|instead|if (?:so|not|it|they|that|this)|in (?:that|this|both) cases?|but|and|or"
    r"|so|however|the same|there)\b",
    re.IGNORECASE,
)
_BOUNDARY = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]?[A-Z0-9£€$])|(?<=[。！？])")
_ABBREVIATION = re.compile(
    r"\b(?:e\.g|i\.e|etc|approx|no|incl|max|min|vs|mr|mrs|ms|dr|st|[a-z])\.$", re.IGNORECASE
)


_WORD = re.compile(r"\w\S*")
_TELLING = re.compile(r"(?!(?:what|when|where|which|with|your|this|that|have)\b)\w{4,}")
_WHOLE = re.compile(r"(?:our|we|you (?:can|may)|there (?:is|are))\b", re.IGNORECASE)
_STEM = 5  # letters by which "registered" and "registering" are one word


@lru_cache(maxsize=20_000)
def units(markdown: str, *, legible: bool = False, heading: str = "") -> tuple[str, ...]:
    """Plain texts in the order of the passage; none is empty. ``legible`` are the same units as a
    person would like to read them: table rows with their cells set apart (``plain_text``), and
    list items that no line introduces ``under`` the ``heading`` of their section."""
    lines = [line for line in plain_text(markdown, legible=legible).split("\n") if line.strip()]
    items = bullets(markdown) if legible and heading else frozenset()
    found: list[str] = []
    listed: list[int] = []
    introduction = ""
    steps: list[str] = []
    for line in lines:
        if _STEP.match(line):
            steps.append(line)
            continue
        found += _list_of(steps, introduction)
        steps = []
        if _ITEM.match(line):
            item = _ITEM.sub("", line)
            if item in items and not introduction:
                listed.append(len(found))
            found.append(f"{introduction} {item}".strip())
            continue
        sentences = list(_sentences(line))
        introduction = sentences[-1] if sentences[-1].endswith(":") else ""
        for sentence in sentences[:-1] if introduction else sentences:
            leans = found and _LEANING.match(sentence)
            if leans and len(_WORD.findall(f"{found[-1]} {sentence}")) <= MAX_WORDS:
                found[-1] = f"{found[-1]} {sentence}"
            else:
                found.append(sentence)
    found += _list_of(steps, introduction)
    if not found and introduction:
        found.append(introduction)
    for place in listed:
        found[place] = under(heading, found[place])
    return tuple(found)


def under(heading: str, item: str) -> str:
    """A list item with the heading without which it may say nothing ("The membership was active on
    the day …" under "Conditions"); as it is where it has the heading's words itself, or begins like
    a sentence that stands by itself."""
    told = {word[:_STEM] for word in _TELLING.findall(item.casefold())}
    said = {word[:_STEM] for word in _TELLING.findall(heading.casefold())}
    return item if said <= told or _WHOLE.match(item) else f"{mark_of(heading)}{item}"


def mark_of(heading: str) -> str:
    """How ``under`` sets a heading before an item."""
    return f"{heading}{'' if heading.endswith('?') else ':'} "


def _list_of(steps: list[str], introduction: str) -> list[str]:
    if not steps:
        return []
    if sum(len(step.split()) for step in steps) <= MAX_WORDS:
        return ["\n".join(filter(None, (introduction, *steps)))]
    return [f"{introduction} {step}".strip() for step in steps]


def _sentences(line: str) -> Iterator[str]:
    held = ""
    for piece in _BOUNDARY.split(line):
        held = f"{held} {piece}".strip()
        if not _ABBREVIATION.search(held):
            yield held
            held = ""
    if held:
        yield held
