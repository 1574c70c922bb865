"""Finds fusion weight, relevance model and floor for one help centre, without labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from knowledge_base.encoder import TextEncoder
from knowledge_base.fusion import Calibration, Evidence
from knowledge_base.pseudo import PseudoQuestion, background_questions, pseudo_questions
from knowledge_base.ranking import Ranked, rank
from knowledge_base.snapshot import Snapshot

QUESTIONS = 400  # 3 to 5 s on two cores
WEIGHTS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7, 1.0)
DEPTH = 10
KEPT_SHARE = 0.9  # of pseudo-questions that the floor lets through; customers' are easier
SAME_MATTER = 0.85  # cosine of two chunks above which one may well answer for the other
FEWEST = 8  # questions on each side, below which the defaults stay

Progress = Callable[[str, int, int], None]


def calibrate(snapshot: Snapshot, encoder: TextEncoder, progress: Progress) -> Calibration:
    """Deterministic for a snapshot. Fewer than eight articles keep the defaults."""
    progress("calibrate", 0, 3)
    if len(snapshot.articles) < FEWEST:
        progress("calibrate", 3, 3)
        return Calibration()
    questions = pseudo_questions(
        snapshot.chunks, encoder, count=QUESTIONS, language=snapshot.language
    )
    progress("calibrate", 1, 3)
    found = _search(snapshot, encoder, [question.text for question in questions])
    background = _search(snapshot, encoder, background_questions())
    progress("calibrate", 2, 3)
    weight, figures = _weight(snapshot, questions, found)
    calibration = replace(Calibration(), lexical_weight=weight)
    right, near = _samples(snapshot, questions, found, calibration)
    far = [one.evidence.ordered(np.array([_first(one, calibration)])) for one in background]
    if min(len(right), len(near)) >= FEWEST:
        coverage = float(np.median([one.coverage[0] for one in right]))
        calibration = replace(calibration, typical_coverage=round(max(coverage, 0.01), 4))
        strengths = [
            np.concatenate([calibration.strength(one) for one in part])
            for part in (right, near, far)
        ]
        slope, intercept = _fit(strengths)
        calibration = replace(calibration, slope=round(slope, 4), intercept=round(intercept, 4))
        scores = [calibration.probability(strength) for strength in strengths]
        floor = round(float(np.quantile(scores[0], 1 - KEPT_SHARE)), 4)
        calibration = replace(calibration, floor=floor)
        for name, score in zip(("answerable", "near_misses", "far_misses"), scores, strict=True):
            figures[f"{name}_above_floor"] = round(float((score >= floor).mean()), 4)
    progress("calibrate", 3, 3)
    return replace(calibration, questions=len(questions), figures=figures)


def _search(snapshot: Snapshot, encoder: TextEncoder, texts: Sequence[str]) -> list[Ranked]:
    everything = np.ones(len(snapshot.chunks), dtype=np.bool_)
    vectors = encoder.embed(texts)
    return [
        rank(snapshot, text, vector, everything)
        for text, vector in zip(texts, vectors, strict=True)
    ]


def _first(found: Ranked, calibration: Calibration) -> int:
    return int(np.argmax(calibration.ranking(found.evidence)))


def reciprocal_rank(snapshot: Snapshot, found: Ranked, weight: float, article: str) -> float:
    """1 / place of an article among the articles found with a lexical weight, else 0."""
    fused = Calibration(lexical_weight=weight).ranking(found.evidence)
    ids = dict.fromkeys(snapshot.chunks[int(found.rows[i])].article for i in np.argsort(-fused))
    place = next((n for n, identity in enumerate(ids, 1) if identity == article), None)
    return 1 / place if place is not None and place <= DEPTH else 0.0


def _weight(
    snapshot: Snapshot, questions: Sequence[PseudoQuestion], found: Sequence[Ranked]
) -> tuple[float, dict[str, float]]:
    """The smallest weight within one standard error of the best mean reciprocal rank.

    Questions made of articles share more words with them than customers' do, so of weights
    that are equally good the smaller is right (Breiman et al. 1984, the 1-SE rule).
    """
    ranks = {
        weight: [
            reciprocal_rank(snapshot, one, weight, snapshot.chunks[question.row].article)
            for question, one in zip(questions, found, strict=True)
        ]
        for weight in WEIGHTS
    }
    means = {weight: float(np.mean(values)) for weight, values in ranks.items()}
    best = max(means, key=lambda weight: means[weight])
    error = float(np.std(ranks[best])) / len(questions) ** 0.5
    chosen = next(weight for weight in WEIGHTS if means[weight] >= means[best] - error)
    return chosen, {f"mrr@{weight:g}": round(mean, 4) for weight, mean in means.items()}


def _samples(
    snapshot: Snapshot,
    questions: Sequence[PseudoQuestion],
    found: Sequence[Ranked],
    calibration: Calibration,
) -> tuple[list[Evidence], list[Evidence]]:
    """Evidence for the best passage of the question's own article, and of all others."""
    right, near = [], []
    for question, one in zip(questions, found, strict=True):
        order = np.argsort(-calibration.ranking(one.evidence))
        own = snapshot.chunks[question.row].article
        owned = np.array([snapshot.chunks[int(row)].article == own for row in one.rows[order]])
        if owned[:DEPTH].any():
            right.append(one.evidence.ordered(order[[int(np.argmax(owned))]]))
        if (~owned).any():
            place = order[[int(np.argmin(owned))]]
            other = snapshot.vectors[int(one.rows[place[0]])]
            if float(other @ snapshot.vectors[question.row]) < SAME_MATTER:
                near.append(one.evidence.ordered(place))
    return right, near


def _fit(strengths: Sequence[NDArray[np.float32]]) -> tuple[float, float]:
    """Logistic regression of right passages against near and far misses, weighed 2 : 1 : 1."""
    from sklearn.linear_model import LogisticRegression

    values = np.concatenate(strengths)[:, None]
    labels = np.repeat([1, 0, 0], [len(part) for part in strengths])
    weights = np.concatenate(
        [
            np.full(len(part), share * len(values) / len(part))
            for part, share in zip(strengths, (0.5, 0.25, 0.25), strict=True)
        ]
    )
    model = LogisticRegression(C=100.0).fit(values, labels, sample_weight=weights)
    return float(model.coef_[0, 0]), float(model.intercept_[0])
