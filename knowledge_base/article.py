"""An article: what a help centre says about one matter, in one version."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from functools import cached_property
from typing import Any

from knowledge_base.errors import BadArticle

PUBLIC = "public"
INTERNAL = "internal"
AUDIENCES = (PUBLIC, INTERNAL)

MAX_ID_CHARS = 200  # an id is part of a URL
MAX_TITLE_CHARS = 300
MAX_TEXT_CHARS = 1_000_000  # about 300 printed pages; a larger file is a book, not an article

FIELDS = (
    "id",
    "title",
    "text",
    "url",
    "locale",
    "audience",
    "valid_from",
    "valid_until",
    "supersedes",
    "tags",
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff]")


@dataclass(frozen=True)
class Article:
    """``valid_from`` and ``valid_until`` are whole days, both included; None is open."""

    id: str
    title: str
    text: str
    """Markdown."""
    url: str | None = None
    locale: str = "en"
    audience: str = PUBLIC
    valid_from: date | None = None
    valid_until: date | None = None
    supersedes: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    source: str = ""
    """Which sync owns it; pruning stays within one source."""
    origin: str = ""
    """Where in the source it was read: a path, with ``:line`` for a row."""

    @cached_property
    def version(self) -> str:
        """First 12 hex digits of the SHA-256 of the content; where it was read is no part."""
        content = {name: value for name, value in self.to_json().items() if name in FIELDS}
        canonical = json.dumps(content, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    def valid_on(self, day: date) -> bool:
        return (self.valid_from is None or self.valid_from <= day) and (
            self.valid_until is None or day <= self.valid_until
        )

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready mapping that ``from_json`` turns back into an equal article."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        for name in ("valid_from", "valid_until"):
            values[name] = values[name].isoformat() if values[name] else None
        return values | {"supersedes": list(self.supersedes), "tags": list(self.tags)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Article:
        where = {name: values.get(name, "") for name in ("source", "origin")}
        return article_from(values, **where)


def article_from(values: Mapping[str, Any], source: str = "", origin: str = "") -> Article:
    """An article from front matter, a JSON object or a CSV row.

    Raises BadArticle, naming the field and the value. A field that looks like a misspelt
    one is an error, because an ignored ``valid_untill`` would publish stale text.
    """
    for name in values:
        if name not in FIELDS:
            near = difflib.get_close_matches(str(name).lower(), FIELDS, n=1, cutoff=0.82)
            if near:
                raise BadArticle(f"unknown field {name!r}; did you mean {near[0]!r}?")
    identity = _line(values, "id", MAX_ID_CHARS)
    title = _line(values, "title", MAX_TITLE_CHARS)
    if re.search(r"[\s@#?]", identity):
        raise BadArticle(f"id {identity!r} may not contain spaces, '@', '#' or '?'")
    text = clean(_string(values.get("text"), "text")).strip()
    if not text:
        raise BadArticle("text is empty")
    if len(text) > MAX_TEXT_CHARS:
        raise BadArticle(f"text has {len(text):,} characters; at most {MAX_TEXT_CHARS:,}")
    audience = _string(values.get("audience"), "audience").strip().lower() or PUBLIC
    if audience not in AUDIENCES:
        raise BadArticle(f"audience is {audience!r}; use 'public' or 'internal'")
    url = _string(values.get("url"), "url").strip() or None
    if url and not re.match(r"(https?://|/)\S+$", url):
        raise BadArticle(f"url {url!r} must start with http://, https:// or /")
    start, end = _day(values, "valid_from"), _day(values, "valid_until")
    if start and end and end < start:
        raise BadArticle(f"valid_until {end} is before valid_from {start}")
    supersedes = _names(values, "supersedes")
    if identity in supersedes:
        raise BadArticle(f"{identity!r} supersedes itself")
    return Article(
        id=identity,
        title=title,
        text=text,
        url=url,
        locale=_string(values.get("locale"), "locale").strip() or "en",
        audience=audience,
        valid_from=start,
        valid_until=end,
        supersedes=supersedes,
        tags=_names(values, "tags"),
        source=source,
        origin=origin,
    )


def clean(text: str) -> str:
    """NFC, LF line ends, no control characters but newline and tab."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    return _CONTROL.sub("", text)


def _string(value: Any, name: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float | date):
        raise BadArticle(f"{name} must be text, not {type(value).__name__}")
    return str(value)


def _line(values: Mapping[str, Any], name: str, limit: int) -> str:
    line = " ".join(clean(_string(values.get(name), name)).split())
    if not line:
        raise BadArticle(f"{name} is missing")
    if len(line) > limit:
        raise BadArticle(f"{name} has {len(line)} characters; at most {limit}")
    return line


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


def _names(values: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = values.get(name)
    if value is None:
        return ()
    if isinstance(value, str):
        value = re.split(r"[,;\s]+", value.strip().strip("[]").replace('"', ""))
    if not isinstance(value, list | tuple):
        raise BadArticle(f"{name} must be a list, not {type(value).__name__}")
    return tuple(dict.fromkeys(_string(item, name).strip() for item in value if str(item).strip()))
