"""Markdown and plain text with YAML front matter."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from knowledge_base.readers.base import Failure, Item, Reading, document, read_text

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n---[ \t]*(?:\n|\Z)", re.DOTALL)


def read_markdown(file: Path, name: str, reading: Reading) -> Iterator[Item | Failure]:
    """Markdown or plain text, with optional YAML front matter between two ``---`` lines."""
    text = read_text(file, name, reading)
    values: Mapping[str, Any] = {}
    match = _FRONT_MATTER.match(text)
    if match:
        try:
            loaded = yaml.safe_load(match[1])
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = mark.line + 2 if mark else 1  # the opening '---' is line 1
            problem = getattr(error, "problem", None) or "not valid YAML"
            yield Failure(name, line, f"front matter: {problem}")
            return
        except ValueError as error:  # a date such as 2026-02-30
            yield Failure(name, 1, f"front matter: {error}")
            return
        if not isinstance(loaded, dict | None):
            yield Failure(name, 1, "front matter is not a list of 'name: value' lines")
            return
        values, text = loaded or {}, text[match.end() :]
    elif text.startswith("---\n") and re.search(r"^(id|title|audience):", text[:500], re.M):
        yield Failure(name, 1, "front matter has no closing '---' line")
        return
    yield document(values, text, name)
