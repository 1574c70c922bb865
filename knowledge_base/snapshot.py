"""A snapshot: one immutable state of all articles with the indexes over their chunks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knowledge_base.article import PUBLIC, Article
from knowledge_base.chunking import CHUNKING, Chunk
from knowledge_base.curated import CuratedSet
from knowledge_base.dense import FLAT_LIMIT, VectorIndex
from knowledge_base.fusion import Calibration
from knowledge_base.lexical import LexicalIndex
from knowledge_base.locales import serving


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Loaded, checked, safe to share between threads. Row i of ``vectors`` is chunk i."""

    name: str
    encoder: str
    language: str
    created: str
    """ISO 8601, UTC."""
    articles: dict[str, Article]
    chunks: tuple[Chunk, ...]
    vectors: NDArray[np.float32]
    dense: VectorIndex
    lexical: LexicalIndex
    calibration: Calibration
    curated: CuratedSet = field(default_factory=CuratedSet)
    chunking: int = CHUNKING
    """Which form of ``chunking`` made the chunks."""

    @cached_property
    def owners(self) -> NDArray[np.int64]:
        """Number of the article (in the order of ``articles``) of each chunk, shape (n,)."""
        return np.array([self._numbers[chunk.article] for chunk in self.chunks], dtype=np.int64)

    @cached_property
    def centroids(self) -> NDArray[np.float32]:
        """Unit mean vector of each article's chunks, shape (articles, dimension)."""
        sums = np.zeros((len(self.articles), self.vectors.shape[1]), dtype=np.float32)
        np.add.at(sums, self.owners, self.vectors)
        norms = np.linalg.norm(sums, axis=1, keepdims=True)
        unit: NDArray[np.float32] = (sums / np.maximum(norms, 1e-9)).astype(np.float32)
        return unit

    def warmed(self) -> Snapshot:
        """Itself, with what the first search would otherwise wait for."""
        self.allowed((PUBLIC,), date.today())
        self.centroids.sum()
        return self

    @cached_property
    def rows_by_digest(self) -> dict[str, int]:
        return {chunk.digest: row for row, chunk in enumerate(self.chunks)}

    def superseded(self, day: date) -> frozenset[str]:
        """Ids of articles that another article, valid on that day, replaces."""
        return frozenset(
            old
            for article in self.articles.values()
            if article.supersedes and article.valid_on(day)
            for old in article.supersedes
        )

    def allowed(
        self, audiences: Collection[str], day: date, locale: str | None = None
    ) -> NDArray[np.bool_]:
        """Which chunks a reader may see on a day, shape (n,), cached.

        With ``locale``, those of articles that serve it (see ``locales``); else of all.
        """
        mask: NDArray[np.bool_] = self._allowed(frozenset(audiences), day, locale)
        return mask

    def shows(self, article: str, allowed: NDArray[np.bool_]) -> bool:
        """Whether an article has a chunk among the allowed ones."""
        number = self._numbers.get(article)
        return number is not None and bool(allowed[self.owners == number].any())

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {identity: number for number, identity in enumerate(self.articles)}

    @cached_property
    def _allowed(self) -> Any:
        @lru_cache(maxsize=32)
        def mask(audiences: frozenset[str], day: date, locale: str | None) -> NDArray[np.bool_]:
            replaced = self.superseded(day)
            shown = [
                article
                for article in self.articles.values()
                if article.audience in audiences
                and article.valid_on(day)
                and article.id not in replaced
            ]
            ids = serving(shown, locale) if locale else {article.id for article in shown}
            articles = np.array([identity in ids for identity in self.articles], dtype=np.bool_)
            return articles[self.owners]

        return mask

    def nearest(
        self, vector: NDArray[np.float32], k: int, allowed: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """Rows of the ``k`` allowed chunks nearest to a vector of shape (dimension,)."""
        rows = np.flatnonzero(allowed)
        if self.dense.kind == "hnsw" and len(rows) < FLAT_LIMIT:
            # A graph search starves when most of its nodes are forbidden; few are quick to try.
            order = np.argsort(-(self.vectors[rows] @ vector))[:k]
            exact: NDArray[np.int64] = rows[order]
            return exact
        return self.dense.search(vector, k, allowed)
