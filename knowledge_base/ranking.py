"""The order of candidates: both sides' evidence fused, then the first of them judged once more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from knowledge_base.chunking import Chunk
from knowledge_base.folding import fold_key
from knowledge_base.fusion import ARTICLE_SHARE, SATURATION, Evidence
from knowledge_base.lexical import words
from knowledge_base.passage import Passage
from knowledge_base.reranker import DEPTH, Reranker, place_of
from knowledge_base.snapshot import Snapshot
from knowledge_base.units import units

MOST_UNITS = 5
"""Of a passage that are judged. On the sample company's dev questions fewer than 5 lose something;
lists and tables of some help centres have 20, and each costs 7 ms when it is new."""
FIELD = 5  # articles beside the best one that a query might as well mean
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
    stands_out: float = 0.0
    """Logit of the best article's fused relevance less that of the sixth: how clearly the query
    asks for one article rather than for any of many alike."""


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
    strength = snapshot.calibration.strength(evidence)
    lead = snapshot.calibration.slope * _lead(snapshot.owners[rows[order]], strength)
    relevance = snapshot.calibration.relevance(evidence)
    return Ranked(rows[order], fused[order], relevance, evidence, stands_out=lead)


def _lead(owners: NDArray[np.int64], strength: NDArray[np.float32]) -> float:
    """Of the first article before the sixth. Both have shape (n,), best first."""
    firsts = np.sort(np.unique(owners, return_index=True)[1])[: FIELD + 1]
    return float(strength[firsts[0]] - strength[firsts[-1]]) if len(firsts) else 0.0


def judged_units(chunk: Chunk) -> list[tuple[str, str]]:
    """What the reranker judges of a passage: (place, unit) in order."""
    place = place_of(chunk.title, chunk.heading)
    return [(place, unit) for unit in units(chunk.text) or (chunk.text,)]


def reranked(snapshot: Snapshot, query: str, ranked: Ranked, reranker: Reranker) -> Ranked:
    """The first ``DEPTH`` candidates ordered by the probability that reranker and fusion give
    together; ``relevance`` becomes that probability. The others stay behind them, no better
    than the last of them. A candidate is worth what the best of its units is worth."""
    first = min(DEPTH, len(ranked.rows))
    if not first:
        return ranked
    rows = ranked.rows[:first].tolist()
    parts = [judged_units(snapshot.chunks[row]) for row in rows]
    likely = [_likely(snapshot, query, own) for own in parts]
    pairs = [own[n] for own, places in zip(parts, likely, strict=True) for n in places]
    scores = reranker.score(query, pairs)
    starts = np.cumsum([0, *(len(places) for places in likely[:-1])])
    combined = reranker.combined(np.maximum.reduceat(scores, starts), ranked.relevance[:first])
    best = np.argsort(-combined, kind="stable")
    order = np.concatenate([best, np.arange(first, len(ranked.rows))])
    rest = np.minimum(ranked.relevance[first:], combined.min())
    least = float(scores.min())
    judged = {}
    for row, own, places, start in zip(rows, parts, likely, starts.tolist(), strict=True):
        known = {place: float(scores[start + n]) for n, place in enumerate(places)}
        judged[row] = tuple((unit, known.get(n, least)) for n, (_, unit) in enumerate(own))
    return Ranked(
        rows=ranked.rows[order],
        fused=ranked.fused[order],
        relevance=np.concatenate([combined[best], rest]),
        evidence=ranked.evidence.ordered(order),
        units=judged,
        stands_out=ranked.stands_out,
    )


def _likely(snapshot: Snapshot, query: str, own: Sequence[tuple[str, str]]) -> list[int]:
    """Places of the units that are judged: of more than ``MOST_UNITS``, those that share most with
    the query, its words weighed by how rare they are."""
    if len(own) <= MOST_UNITS:
        return [*range(len(own))]
    asked = frozenset(words(query, snapshot.language))
    shared = [
        sum(snapshot.lexical.weight(word) for word in asked & {*words(unit, snapshot.language)})
        for _, unit in own
    ]
    return sorted(sorted(range(len(own)), key=lambda n: -shared[n])[:MOST_UNITS])


def distinct(snapshot: Snapshot, ranked: Ranked) -> Iterator[int]:
    """Places whose text says something else than every better place."""
    seen: set[frozenset[str]] = set()
    for place, row in enumerate(ranked.rows.tolist()):
        key = fold_key(snapshot.chunks[row].text, snapshot.language)
        if key not in seen:
            seen.add(key)
            yield place


def passage_of(
    snapshot: Snapshot, row: int, score: float, judged: tuple[tuple[str, float], ...]
) -> Passage:
    chunk = snapshot.chunks[row]
    article = snapshot.articles[chunk.article]
    return Passage(
        article=article.id,
        version=article.version,
        chunk=chunk.id,
        title=article.title,
        heading=chunk.heading,
        anchor=chunk.anchor,
        text=chunk.text,
        score=round(score, 4),
        audience=article.audience,
        units=judged,
    )
