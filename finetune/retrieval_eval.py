"""Retrieval figures on labelled questions, for ``finetune evaluate retrieval``."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from finetune.report import Section, write_report
from knowledge_base.query import search_queries

CUTOFFS = (1, 5, 10)
DEPTH = 10


class ArticleRanker(Protocol):
    """What is measured; ``knowledge_base.retriever.Retriever`` is one."""

    def rank_articles(self, queries: Sequence[str], k: int = 10) -> list[str]:
        """Article ids for ``search_queries``, best first, without a relevance floor."""
        ...


@dataclass(frozen=True)
class Searched:
    """A row with what was found for it, best first."""

    question: str
    right: frozenset[str]
    found: tuple[str, ...]

    @property
    def place(self) -> int:
        """Of the first right article, counted from 1; 0 when none was found."""
        return next((n for n, name in enumerate(self.found, 1) if name in self.right), 0)


def evaluate_retrieval(
    rows: Iterable[Mapping[str, Any]], retriever: ArticleRanker
) -> dict[str, float | int]:
    """``figures`` of ``searched``."""
    return figures(searched(rows, retriever))


def searched(rows: Iterable[Mapping[str, Any]], retriever: ArticleRanker) -> list[Searched]:
    """Searches for every row that names articles.

    A row is {"question", "articles": [ids], optional "history": [{"role", "text"}]}; a question
    with history is searched for as ``search_queries`` says. Raises ValueError, naming the row,
    when a field is missing, and when no row has articles.
    """
    done: list[Searched] = []
    for number, row in enumerate(rows, start=1):
        question, articles = row.get("question"), row.get("articles")
        if not isinstance(question, str) or not isinstance(articles, list):
            raise ValueError(f"row {number}: 'question' (text) and 'articles' (list) are needed")
        if not articles:
            continue
        history = [(turn["role"], turn["text"]) for turn in row.get("history") or ()]
        found = retriever.rank_articles(search_queries(history, question), DEPTH)
        done.append(Searched(question, frozenset(map(str, articles)), tuple(found)))
    if not done:
        raise ValueError("no row names an article; there is nothing to measure")
    return done


def figures(done: Sequence[Searched]) -> dict[str, float | int]:
    """``recall@1``, ``@5``, ``@10``, ``mrr@10``, ``ndcg@10`` and ``n``, each averaged over rows.

    Recall is the share of a row's articles that are found; rows without articles
    (unanswerable) are left out of all figures.
    """
    values: dict[str, float | int] = {
        f"recall@{k}": _mean([recall(one.found, one.right, k) for one in done]) for k in CUTOFFS
    }
    values["mrr@10"] = _mean([reciprocal_rank(one.found, one.right) for one in done])
    values["ndcg@10"] = _mean([ndcg(one.found, one.right) for one in done])
    return values | {"n": len(done)}


def report(path: Path, done: Sequence[Searched]) -> None:
    """An HTML page with the questions whose article does not stand first, worst first."""
    missed = sorted((one for one in done if one.place != 1), key=lambda one: one.place or 99)
    rows = [
        {
            "question": one.question,
            "place": one.place or "not found",
            "right": sorted(one.right),
            "found": one.found[:5],
        }
        for one in reversed(missed)
    ]
    note = "Where the right article does not stand first; those that were not found at all first."
    write_report(
        path, "Retrieval", f"{len(done)} questions with a known article, relevance floor off.",
        figures(done), [Section("Not first", note, rows)],
    )  # fmt: skip


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
