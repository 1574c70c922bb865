"""What the product's search is compared with: each of its sides alone, and plain rank fusion.

A question in a conversation is searched for joined with the customer's turn before it, which is the
strongest single query. Rank fusion: Cormack, Clarke and Büttcher 2009,
https://doi.org/10.1145/1571941.1572114, with their constant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from finetune.retrieval_eval import ArticleRanker
from knowledge_base.article import PUBLIC
from knowledge_base.query import joined_pair
from knowledge_base.retriever import Retriever
from knowledge_base.snapshot import Snapshot

CANDIDATES = 100
CONSTANT = 60

Rows = NDArray[np.int64]
Search = Callable[[Snapshot, str, NDArray[np.float32], NDArray[np.bool_]], Rows]
"""(snapshot, query, its vector, chunks that may be shown) -> rows of chunks, best first."""


def dense(
    snapshot: Snapshot, query: str, vector: NDArray[np.float32], allowed: NDArray[np.bool_]
) -> Rows:
    return snapshot.nearest(vector, CANDIDATES, allowed)


def bm25(
    snapshot: Snapshot, query: str, vector: NDArray[np.float32], allowed: NDArray[np.bool_]
) -> Rows:
    scores = np.where(allowed, snapshot.lexical.scores(query)[0], np.float32(0))
    rows = np.argsort(-scores, kind="stable")[:CANDIDATES]
    found: Rows = rows[scores[rows] > 0]
    return found


def rank_fusion(
    snapshot: Snapshot, query: str, vector: NDArray[np.float32], allowed: NDArray[np.bool_]
) -> Rows:
    shares: dict[int, float] = {}
    for search in (dense, bm25):
        for place, row in enumerate(search(snapshot, query, vector, allowed).tolist(), start=1):
            shares[row] = shares.get(row, 0.0) + 1 / (CONSTANT + place)
    return np.array(sorted(shares, key=lambda row: -shares[row]), dtype=np.int64)


@dataclass(frozen=True)
class Baseline:
    """A search without calibration, spelling, reranker or relevance floor."""

    retriever: Retriever
    search: Search

    def rank_articles(self, queries: Sequence[str], k: int = 10) -> list[str]:
        pair = joined_pair(queries)
        query = queries[pair[0] if pair else 0]
        snapshot = self.retriever.snapshot()
        allowed = snapshot.allowed((PUBLIC,), date.today())
        vector = self.retriever.encoder.embed([query])[0]
        rows = self.search(snapshot, query, vector, allowed).tolist()
        return list(dict.fromkeys(snapshot.chunks[row].article for row in rows))[:k]


def baselines(retriever: Retriever) -> dict[str, ArticleRanker]:
    """By the name under which their figures are shown."""
    searches: dict[str, Search] = {"dense": dense, "bm25": bm25, "rank fusion": rank_fusion}
    return {name: Baseline(retriever, search) for name, search in searches.items()}
