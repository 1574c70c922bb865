"""The order of candidates: both sides' evidence fused, then the first of them judged once more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from knowledge_base.fusion import ARTICLE_SHARE, SATURATION, Evidence
from knowledge_base.reranker import DEPTH, Reranker, place_of
from knowledge_base.snapshot import Snapshot
from knowledge_base.units import units

CANDIDATES = 60  # from each side; recall of the union no longer grows beyond


@dataclass(frozen=True)
class Ranked:
    """Candidates of one query, best first; all arrays have shape (n,)."""

    rows: NDArray[np.int64]
    fused: NDArray[np.float32]
    relevance: NDArray[np.float32]
    evidence: Evidence
    units: Mapping[int, tuple[tuple[str, float], ...]] = field(default_factory=dict)
    """Of the reranked rows: their units with the probability that they answer."""


def rank(
    snapshot: Snapshot,
    query: str,
    vector: NDArray[np.float32],
    allowed: NDArray[np.bool_],
    candidates: int = CANDIDATES,
) -> Ranked:
    """Fuses both sides' candidates. ``vector`` has shape (dimension,), ``allowed`` (n,)."""
    scores, weight = snapshot.lexical.scores(query)
    scores = np.where(allowed, scores, np.float32(0))
    dense = snapshot.nearest(vector, candidates, allowed)
    count = min(candidates, len(scores))
    lexical = np.argpartition(-scores, count - 1)[:count] if count else np.empty(0, np.int64)
    rows = np.union1d(dense, lexical[scores[lexical] > 0])
    best = float(scores.max(initial=0.0))
    evidence = Evidence(
        dense=(1 - np.float32(ARTICLE_SHARE)) * (snapshot.vectors[rows] @ vector)
        + np.float32(ARTICLE_SHARE) * (snapshot.centroids[snapshot.owners[rows]] @ vector),
        lexical=scores[rows] / np.float32(best or 1.0),
        coverage=np.minimum(scores[rows] / np.float32(SATURATION * weight or 1.0), 1),
    )
    fused = snapshot.calibration.ranking(evidence)
    order = np.lexsort((rows, -fused))  # equal scores in a stable order
    evidence = evidence.ordered(order)
    return Ranked(rows[order], fused[order], snapshot.calibration.relevance(evidence), evidence)


def reranked(snapshot: Snapshot, query: str, ranked: Ranked, reranker: Reranker) -> Ranked:
    """The first ``DEPTH`` candidates ordered by the probability that reranker and fusion give
    together; ``relevance`` becomes that probability. The others stay behind them, no better
    than the last of them. A candidate is worth what the best of its units is worth."""
    first = min(DEPTH, len(ranked.rows))
    if not first:
        return ranked
    chunks = [snapshot.chunks[row] for row in ranked.rows[:first].tolist()]
    parts = [units(chunk.text) or (chunk.text,) for chunk in chunks]
    pairs = [
        (place_of(chunk.title, chunk.heading), unit)
        for chunk, own in zip(chunks, parts, strict=True)
        for unit in own
    ]
    scores = reranker.score(query, pairs)
    starts = np.cumsum([0, *(len(own) for own in parts[:-1])])
    combined = reranker.combined(np.maximum.reduceat(scores, starts), ranked.relevance[:first])
    best = np.argsort(-combined, kind="stable")
    order = np.concatenate([best, np.arange(first, len(ranked.rows))])
    rest = np.minimum(ranked.relevance[first:], combined.min())
    judged = {
        int(row): tuple(zip(own, scores[start : start + len(own)].tolist(), strict=True))
        for row, own, start in zip(ranked.rows[:first], parts, starts.tolist(), strict=True)
    }
    return Ranked(
        rows=ranked.rows[order],
        fused=ranked.fused[order],
        relevance=np.concatenate([combined[best], rest]),
        evidence=ranked.evidence.ordered(order),
        units=judged,
    )
