"""Every article version ever served, never deleted: a citation of any age leads somewhere."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

from knowledge_base.article import Article
from knowledge_base.errors import SnapshotDamaged


class Versions:
    """One JSON file a version, in 256 folders."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def get(self, identity: str, version: str) -> Article | None:
        """Raises SnapshotDamaged for a file that was altered."""
        try:
            text = self._path(identity, version).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        try:
            article = Article.from_json(json.loads(text))
        except ValueError as error:
            raise SnapshotDamaged(f"the stored version {identity}@{version}: {error}") from None
        if (article.id, article.version) != (identity, version):
            raise SnapshotDamaged(f"the stored version {identity}@{version} was altered")
        return article

    def keep(self, articles: Iterable[Article]) -> None:
        written: list[tuple[Path, Path]] = []
        for article in articles:
            path = self._path(article.id, article.version)
            if path.exists():
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            aside = path.with_suffix(".new")
            aside.write_text(json.dumps(article.to_json(), ensure_ascii=False), encoding="utf-8")
            written.append((aside, path))
        if written:
            os.sync()  # one call for thousands of small files, before any of them has its name
        for aside, path in written:
            aside.replace(path)

    def _path(self, identity: str, version: str) -> Path:
        key = hashlib.sha256(f"{identity}@{version}".encode()).hexdigest()[:40]
        return self._root / key[:2] / f"{key[2:]}.json"
