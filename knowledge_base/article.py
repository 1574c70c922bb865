"""An article: what a help centre says about one matter, in one version."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from functools import cached_property
from typing import Any

from knowledge_base import fields as given
from knowledge_base.errors import BadArticle
from knowledge_base.fields import AUDIENCES, INTERNAL, PUBLIC

__all__ = ["AUDIENCES", "INTERNAL", "PUBLIC", "Article", "article_from"]

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
    """Where in the source it was read: a path, with ``:line`` for a row, or an address."""

    @cached_property
    def version(self) -> str:
        """First 12 hex digits of the SHA-256 of the content; where it was read is no part."""
        content = {name: value for name, value in self.to_json().items() if name in FIELDS}
        canonical = json.dumps(content, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    def valid_on(self, day: date) -> bool:
        return given.valid_on(self.valid_from, self.valid_until, day)

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

    Raises BadArticle, naming the field and the value.
    """
    given.known_fields(values, FIELDS)
    identity = given.identity(values)
    title = given.line(values, "title", MAX_TITLE_CHARS)
    text = given.body(values, "text", MAX_TEXT_CHARS)
    url = given.string(values, "url").strip() or None
    if url and not re.match(r"(https?://|/)\S+$", url):
        raise BadArticle(f"url {url!r} must start with http://, https:// or /")
    start, end = given.days(values)
    supersedes = given.names(values, "supersedes")
    if identity in supersedes:
        raise BadArticle(f"{identity!r} supersedes itself")
    return Article(
        id=identity,
        title=title,
        text=text,
        url=url,
        locale=given.string(values, "locale").strip() or "en",
        audience=given.audience(values),
        valid_from=start,
        valid_until=end,
        supersedes=supersedes,
        tags=given.names(values, "tags"),
        source=source,
        origin=origin,
    )
