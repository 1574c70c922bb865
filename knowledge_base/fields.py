"""Turns what a front matter, a row or a request says into typed fields.

Each function raises BadArticle, naming the field and the value.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any

from knowledge_base.errors import BadArticle

PUBLIC = "public"
INTERNAL = "internal"
AUDIENCES = (PUBLIC, INTERNAL)
MAX_ID_CHARS = 200  # an id is part of a URL

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff]")


def known_fields(values: Mapping[str, Any], names: Collection[str]) -> None:
    """A field that looks like a misspelt one is an error, because an ignored ``valid_untill``
    would publish stale text. Other unknown fields are left alone."""
    for name in values:
        if name not in names:
            near = difflib.get_close_matches(str(name).lower(), names, n=1, cutoff=0.82)
            if near:
                raise BadArticle(f"unknown field {name!r}; did you mean {near[0]!r}?")


def clean(text: str) -> str:
    """NFC, LF line ends, no control characters but newline and tab."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    return _CONTROL.sub("", text)


def string(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float | date):
        raise BadArticle(f"{name} must be text, not {type(value).__name__}")
    return str(value)


def line(values: Mapping[str, Any], name: str, limit: int) -> str:
    """Text that must be there, in one line of at most ``limit`` characters."""
    found = " ".join(clean(string(values, name)).split())
    if not found:
        raise BadArticle(f"{name} is missing")
    if len(found) > limit:
        raise BadArticle(f"{name} has {len(found)} characters; at most {limit}")
    return found


def identity(values: Mapping[str, Any]) -> str:
    found = line(values, "id", MAX_ID_CHARS)
    if re.search(r"[\s@#?]", found):
        raise BadArticle(f"id {found!r} may not contain spaces, '@', '#' or '?'")
    return found


def body(values: Mapping[str, Any], name: str, limit: int) -> str:
    """Text of several lines that must be there."""
    found = clean(string(values, name)).strip()
    if not found:
        raise BadArticle(f"{name} is empty")
    if len(found) > limit:
        raise BadArticle(f"{name} has {len(found):,} characters; at most {limit:,}")
    return found


def audience(values: Mapping[str, Any]) -> str:
    found = string(values, "audience").strip().lower() or PUBLIC
    if found not in AUDIENCES:
        raise BadArticle(f"audience is {found!r}; use 'public' or 'internal'")
    return found


def days(values: Mapping[str, Any]) -> tuple[date | None, date | None]:
    """``valid_from`` and ``valid_until``."""
    start, end = _day(values, "valid_from"), _day(values, "valid_until")
    if start and end and end < start:
        raise BadArticle(f"valid_until {end} is before valid_from {start}")
    return start, end


def _day(values: Mapping[str, Any], name: str) -> date | None:
    value = values.get(name)
    if isinstance(value, datetime):
        return value.date()
    if value is None or isinstance(value, date):
        return value
    text = str(value).strip()
    if not text or text.lower() in ("none", "null"):
        return None
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        raise BadArticle(f"{name} is {text!r}; write it as YYYY-MM-DD") from None


def names(values: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """A list, or text with commas, semicolons or spaces in between."""
    value = values.get(name)
    if value is None:
        return ()
    if isinstance(value, str):
        value = re.split(r"[,;\s]+", value.strip().strip("[]").replace('"', ""))
    if not isinstance(value, list | tuple):
        raise BadArticle(f"{name} must be a list, not {type(value).__name__}")
    found = (string({name: item}, name).strip() for item in value)
    return tuple(dict.fromkeys(item for item in found if item))


def valid_on(start: date | None, end: date | None, day: date) -> bool:
    """Whole days, both included; None is open."""
    return (start is None or start <= day) and (end is None or day <= end)
