"""What the reranker changes for the sample questions: order, and silence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finetune.reranker_rows import DAY, Judged
from finetune.retrieval_eval import evaluate_retrieval
from knowledge_base.query import search_queries
from knowledge_base.ranking import judged_units
from knowledge_base.reranker import DEPTH, Reranker, combine, evidence
from knowledge_base.retriever import Retriever

WEIGHTS = tuple(round(0.05 * step, 2) for step in range(21))
KEPT = (0.9, 0.93, 0.95, 0.97, 0.99)
KEPT_SHARE = 0.95  # of the answerable questions that the floor must let through
SAME = 0.005  # of mean reciprocal rank: weights nearer than that are equally good


class Remembering(Reranker):
    """Judges a question once however many figures are made of it."""

    def score(self, question: str, passages: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        memory: dict[Any, NDArray[np.float32]] = self.__dict__.setdefault("memory", {})
        key = (question, tuple(passages))
        if key not in memory:
            memory[key] = super().score(question, passages)
        return memory[key]


@dataclass(frozen=True)
class OnTheDay:
    """A retriever on the day that the sample questions assume."""

    retriever: Retriever

    def rank_articles(self, queries: Sequence[str], k: int = 10) -> list[str]:
        return self.retriever.rank_articles(queries, k, on=DAY)

    def silent(self, row: dict[str, Any]) -> bool:
        history = [(turn["role"], turn["text"]) for turn in row["history"]]
        queries = search_queries(history, row["question"])
        return not self.retriever.search_all(queries, on=DAY)


def measured(rows: Sequence[dict[str, Any]], retriever: Retriever) -> dict[str, float | int]:
    """Retrieval figures, and the shares of rows without any passage above the floor."""
    dated = OnTheDay(retriever)
    figures = evaluate_retrieval(rows, dated)
    parts = {
        "unanswerable_silent": [row for row in rows if row["expect"] == "abstain"],
        "answerable_silent": [row for row in rows if row["expect"] == "answer"],
    }
    for name, part in parts.items():
        figures[name] = round(sum(map(dated.silent, part)) / len(part), 4)
    for kind in sorted({row["type"] for row in rows if row["articles"]}):
        some = [row for row in rows if row["type"] == kind and row["articles"]]
        figures[f"mrr@10 {kind}"] = evaluate_retrieval(some, dated)["mrr@10"]
    return figures


def pairs_of(one: Judged) -> tuple[list[tuple[str, str]], NDArray[np.int64]]:
    """The units that serving judges, as (place, text), and the place of each one's candidate."""
    parts = [judged_units(chunk) for chunk in one.chunks[:DEPTH]]
    pairs = [pair for own in parts for pair in own]
    return pairs, np.repeat(np.arange(len(parts)), [len(own) for own in parts])


def candidate_logits(
    judged: Sequence[Judged], reranker: Reranker
) -> list[dict[int, tuple[float, ...]]]:
    """For each row, by place, what the networks say of the best unit of each candidate that
    they all judge: of two stages the larger encoder's logit first, then the cross-encoder's."""
    found = []
    for one in judged:
        pairs, owners = pairs_of(one)
        if reranker.stages == 2:
            read, order, first = reranker.judged_twice(one.query, [evidence(*p) for p in pairs])
            logits = np.stack([read[order], first], axis=1)
        else:
            order, logits = np.arange(len(pairs)), reranker.logits(one.query, pairs)[:, None]
        best: dict[int, tuple[float, ...]] = {}
        for place, own in zip(owners[order].tolist(), logits.tolist(), strict=True):
            best[place] = max(tuple(own), best.get(place, ()))
        found.append(best)
    return found


def platt(
    judged: Sequence[Judged], logits: Sequence[dict[int, tuple[float, ...]]]
) -> dict[str, float]:
    """What turns logits into probabilities that fit the labels best (Platt 1999): temperature,
    shift and, of two stages, the weight of the first beside the second."""
    from sklearn.linear_model import LogisticRegression

    pairs = [
        (own, one.labels[place])
        for one, known in zip(judged, logits, strict=True)
        for place, own in known.items()
        if one.labels[place] is not None
    ]
    model = LogisticRegression(C=10.0).fit([p[0] for p in pairs], [p[1] for p in pairs])
    slope, *others = model.coef_[0].tolist()
    slope = max(slope, 0.05)
    return {
        "temperature": round(1 / slope, 4),
        "shift": round(float(model.intercept_[0]), 4),
        "beside": round(max(others[0], 0.0) / slope, 4) if others else 0.0,
    }


def probabilities(judged: Sequence[Judged], reranker: Reranker) -> list[NDArray[np.float32]]:
    """Of each row's candidates: what serving takes from the reranker."""
    found = []
    for one in judged:
        pairs, owners = pairs_of(one)
        scores = reranker.score(one.query, pairs)
        starts = np.flatnonzero(np.diff(owners, prepend=-1))
        found.append(np.maximum.reduceat(scores, starts))
    return found


def mixed(
    judged: Sequence[Judged], scores: Sequence[NDArray[np.float32]], weight: float
) -> list[NDArray[np.float32]]:
    """Combined probabilities of each row's candidates."""
    return [
        combine(own, np.array(one.relevance[:DEPTH], np.float32), weight)
        for one, own in zip(judged, scores, strict=True)
    ]


def reciprocal_ranks(
    judged: Sequence[Judged], scores: Sequence[NDArray[np.float32]]
) -> list[float]:
    """Of the first right article of each answerable row."""
    found = []
    for one, own in zip(judged, scores, strict=True):
        if one.row["expect"] == "answer":
            order = np.argsort(-own, kind="stable").tolist()
            ids = list(dict.fromkeys(one.chunks[place].article for place in order))
            places = [n for n, name in enumerate(ids, 1) if name in one.row["articles"]]
            found.append(1 / places[0] if places else 0.0)
    return found


def best_weight(ranks: dict[float, float], silent: dict[float, float]) -> float:
    """Of the weights whose mean reciprocal rank is equal to the best, the one that silences
    most unanswerable questions; the smallest where several do."""
    good = [weight for weight, mean in ranks.items() if mean >= max(ranks.values()) - SAME]
    return max(good, key=lambda weight: silent[weight])


def floor_row(table: Sequence[dict[str, float]]) -> dict[str, float]:
    """The line of a trade-off that is chosen."""
    return next(row for row in table if row["wanted"] == KEPT_SHARE)


def trade_off(
    judged: Sequence[Judged], scores: Sequence[NDArray[np.float32]]
) -> list[dict[str, float]]:
    """For shares of answerable questions kept: the floor, and the share of others silent."""
    tops: dict[str, NDArray[np.float32]] = {}
    for kind in ("answer", "abstain"):
        pairs = zip(judged, scores, strict=True)
        tops[kind] = np.array([own.max() for one, own in pairs if one.row["expect"] == kind])
    ordered = np.sort(tops["answer"])
    rows = []
    for kept in KEPT:
        lost = int(np.floor((1 - kept) * len(ordered) + 1e-9))
        floor = round(float(np.floor(float(ordered[lost]) * 1e4) / 1e4), 4)
        rows.append(
            {
                "wanted": kept,
                "floor": floor,
                "answerable_kept": round(float((tops["answer"] >= floor).mean()), 4),
                "unanswerable_silent": round(float((tops["abstain"] < floor).mean()), 4),
            }
        )
    return rows
