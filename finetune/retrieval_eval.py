"""Retrieval figures on labelled questions, for ``finetune evaluate retrieval``."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from knowledge_base.query import search_queries
from knowledge_base.retriever import interleaved

CUTOFFS = (1, 5, 10)
DEPTH = 10


class ArticleRanker(Protocol):
    """What is measured; ``knowledge_base.retriever.Retriever`` is one."""

    def rank_articles(self, query: str, k: int = 10) -> list[str]:
        """Article ids, best first, without a relevance floor."""
        ...


def evaluate_retrieval(
    rows: Iterable[Mapping[str, Any]], retriever: ArticleRanker
) -> dict[str, float | int]:
    """``recall@1``, ``@5``, ``@10``, ``mrr@10``, ``ndcg@10`` and ``n``, each averaged over rows.

    A row is {"question", "articles": [ids], optional "history": [{"role", "text"}]}; a question
    with history is searched for as ``search_queries`` says. Recall is the share of a row's
    articles that are found; rows without articles (unanswerable) are left out of all figures.
    Raises ValueError, naming the row, when a field is missing, and when no row has articles.
    """
    ranked: list[tuple[list[str], frozenset[str]]] = []
    for number, row in enumerate(rows, start=1):
        question, articles = row.get("question"), row.get("articles")
        if not isinstance(question, str) or not isinstance(articles, list):
            raise ValueError(f"row {number}: 'question' (text) and 'articles' (list) are needed")
        if not articles:
            continue
        history = [(turn["role"], turn["text"]) for turn in row.get("history") or ()]
        lists = [retriever.rank_articles(q, DEPTH) for q in search_queries(history, question)]
        found = interleaved(lists, DEPTH, key=str)
        ranked.append((found, frozenset(map(str, articles))))
    if not ranked:
        raise ValueError("no row names an article; there is nothing to measure")
    figures: dict[str, float | int] = {
        f"recall@{k}": _mean([recall(found, right, k) for found, right in ranked]) for k in CUTOFFS
    }
    figures["mrr@10"] = _mean([reciprocal_rank(found, right) for found, right in ranked])
    figures["ndcg@10"] = _mean([ndcg(found, right) for found, right in ranked])
    return figures | {"n": len(ranked)}


def recall(found: Sequence[str], right: frozenset[str], k: int) -> float:
    """Share of the right articles among the first ``k`` found."""
    return len(right.intersection(found[:k])) / len(right)


def reciprocal_rank(found: Sequence[str], right: frozenset[str], k: int = DEPTH) -> float:
    """1 / place of the first right article, 0 when none is among the first ``k``."""
    places = (place for place, name in enumerate(found[:k], start=1) if name in right)
    return 1 / next(places, math.inf)


def ndcg(found: Sequence[str], right: frozenset[str], k: int = DEPTH) -> float:
    """Normalised discounted cumulative gain with binary gains (Järvelin and Kekäläinen 2002)."""
    gain = sum(1 / math.log2(i + 2) for i, name in enumerate(found[:k]) if name in right)
    ideal = sum(1 / math.log2(i + 2) for i in range(min(k, len(right))))
    return gain / ideal


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4)
