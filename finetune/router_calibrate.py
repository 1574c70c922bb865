"""Temperature, out-of-scope threshold and confidence bands, from dev rows only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chatbot.routing.artifact import Bands, ScopeCalibration
from chatbot.routing.confidence import Confidence
from chatbot.routing.neighbours import Index
from chatbot.routing.scope import ScopeParts, join_parts, scope_parts
from finetune.router_data import RouterRow
from finetune.router_folds import folds_of
from finetune.router_metrics import MULTI_LABEL_THRESHOLD, expected_calibration_error

BLIND_REJECT_SHARE = 0.002  # without out-of-scope rows nothing says what a refusal gains
SHARES = (0.0, 0.15, 0.3)  # of the neighbours; 0.5 was never the best
FLOOR = 1e-6  # a probability of 0 for what happened would outweigh all other rows
TEMPERATURES = np.geomspace(0.2, 5.0, 121)
SHIFTS = np.linspace(-2.0, 2.0, 41)
ACT_PRECISION = 0.95  # at and above the band the router is right in 19 of 20 dev rows
CLARIFY_PRECISION = 0.5  # below it the first intent is more often wrong than right
BAND_ROWS = 20  # fewer rows say nothing about a band
SCOPE_WEIGHTS = (1.0, 1.0)  # equal: any fitted weight would be weights from --eval
# An output trained on out-of-scope rows sees most of them by itself (AUROC 0.963 against 0.919
# and 0.860 of the others on the default dev rows, 0.966 joined like this).
LEARNED_SCOPE_WEIGHTS = (0.5, 0.5, 2.0)

Numbers = NDArray[np.float64]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Everything that dev rows decide, and the curve behind the out-of-scope threshold."""

    confidence: Confidence
    scope: ScopeCalibration
    bands: Bands
    curve: list[dict[str, float]]
    ece: float | None
    """Expected calibration error of dev rows whose own fold did not fit the confidence; None for
    fewer rows than a band needs."""


def calibrate(
    logits: Floats,
    similarity: Floats,
    dev: Sequence[RouterRow],
    index: Index,
    *,
    multi_label: bool,
    learned_scope: bool,
    reject_share: float,
) -> Calibration:
    """From a router's raw ``logits`` for ``dev`` rows, shape (rows, outputs), and their
    ``similarity`` to the examples of ``index``; its weights stay as they are."""
    inside = np.array([not r.out_of_scope for r in dev])
    truth = np.array([[int(name in r.intents) for name in index.intents] for r in dev])
    votes = index.vote(similarity)
    known = (logits[inside][:, : truth.shape[1]], votes[inside], truth[inside])
    confidence = fit_confidence(*known, multi_label=multi_label)
    chances = confidence.of(logits, votes)
    if multi_label:
        right = ((chances >= MULTI_LABEL_THRESHOLD) == (truth == 1)).all(axis=1)
    else:
        right = chances.argmax(axis=1) == truth.argmax(axis=1)
    parts = scope_parts(logits, similarity, learned=learned_scope)
    scope = fit_scope(parts, dev, right, reject_share)
    bands = fit_bands(chances[inside].max(axis=1), right[inside])
    curve = trade_off(join_parts(parts, scope), dev, right)
    return Calibration(confidence, scope, bands, curve, _unseen_ece(*known, multi_label))


def fit_confidence(
    logits: Floats, votes: Floats, truth: NDArray[np.int64], *, multi_label: bool
) -> Confidence:
    """The temperature (and the shift of several labels), and the share of the neighbours, with
    the lowest negative log-likelihood (C. Guo et al., 2017).

    The likelihood chooses the share too: which share has the most right rows is a matter of
    two or three rows, and without neighbours the sure mistakes stay sure.
    ``logits`` and ``votes`` (rows, intents), ``truth`` 0/1 of the same shape.
    """
    fitted = [_fit(logits, votes, truth, share, multi_label=multi_label) for share in SHARES]
    return min(fitted, key=lambda found: _loss(found.of(logits, votes), truth, multi_label))


def _unseen_ece(
    logits: Floats, votes: Floats, truth: NDArray[np.int64], multi_label: bool
) -> float | None:
    if len(truth) < BAND_ROWS:
        return None
    chances = np.zeros(truth.shape)
    for others, own in folds_of(truth.argmax(axis=1), 0):
        found = fit_confidence(
            logits[others], votes[others], truth[others], multi_label=multi_label
        )
        chances[own] = found.of(logits[own], votes[own])
    if multi_label:
        return expected_calibration_error(chances.ravel(), truth.ravel() == 1)
    right = chances.argmax(axis=1) == truth.argmax(axis=1)
    return expected_calibration_error(chances.max(axis=1), right)


def _fit(
    logits: Floats, votes: Floats, truth: NDArray[np.int64], share: float, *, multi_label: bool
) -> Confidence:
    grid = (
        [(float(t), float(s)) for t in TEMPERATURES[::4] for s in SHIFTS[::2]]
        if multi_label
        else [(float(t), 0.0) for t in TEMPERATURES]
    )
    found = [Confidence(multi_label, t, shift, share) for t, shift in grid]
    return min(found, key=lambda c: _loss(c.of(logits, votes), truth, multi_label))


def _loss(chances: Floats, truth: NDArray[np.int64], multi_label: bool) -> float:
    sure = np.clip(chances, FLOOR, 1 - FLOOR)
    if multi_label:
        return float(-np.where(truth == 1, np.log(sure), np.log(1 - sure)).mean())
    return float(-np.log((sure * truth).sum(axis=1)).mean())


def fit_scope(
    parts: ScopeParts, rows: Sequence[RouterRow], right: NDArray[np.bool_], reject_share: float
) -> ScopeCalibration:
    """Standardises each part on in-scope rows and sets the threshold.

    At most ``reject_share`` of the in-scope rows may be refused though their intent was right.
    With out-of-scope rows the threshold has the highest recall that this allows, and of equal
    ones the highest threshold; without any it is at that share.
    """
    outside = np.array([r.out_of_scope for r in rows])
    inside = parts.values[~outside]
    centres = tuple(float(c) for c in inside.mean(axis=0))
    spreads = tuple(float(max(s, 1e-6)) for s in inside.std(axis=0))
    weights = LEARNED_SCOPE_WEIGHTS if inside.shape[1] == 3 else SCOPE_WEIGHTS
    draft = ScopeCalibration(centres=centres, spreads=spreads, weights=weights, threshold=0.0)
    joined = join_parts(parts, draft)
    lost = np.where(right & ~outside, joined, -np.inf)
    share = reject_share if outside.any() else min(reject_share, BLIND_REJECT_SHARE)
    allowed = int(share * (~outside).sum())
    threshold = float(np.sort(lost)[::-1][allowed])
    if not np.isfinite(threshold):  # fewer right rows than may be refused: refuse none of them
        threshold = float(joined[~outside].max())
    if outside.any():
        beyond = joined[outside & (joined > threshold)]
        # between the rows that must stay and the nearest that must go: no nearer to either
        nearest = float(beyond.min()) if beyond.size else threshold
        below = lost[lost < nearest]
        threshold = (nearest + float(below.max())) / 2 if below.size else threshold
    return draft.model_copy(update={"threshold": threshold})


def trade_off(
    joined: Numbers, rows: Sequence[RouterRow], right: NDArray[np.bool_]
) -> list[dict[str, float]]:
    """In-scope accuracy after rejection and out-of-scope recall at 21 thresholds."""
    outside = np.array([r.out_of_scope for r in rows])
    return [
        {
            "threshold": float(c),
            "intent_accuracy": float((right & (joined <= c))[~outside].mean()),
            "oos_recall": float((joined > c)[outside].mean()) if outside.any() else float("nan"),
        }
        for c in np.quantile(joined, np.linspace(0.5, 1.0, 21))
    ]


def fit_bands(confidence: Floats, right: NDArray[np.bool_]) -> Bands:
    """The lowest confidences from which precision among dev rows holds."""
    act = _lowest(confidence, right, ACT_PRECISION, default=0.9)
    clarify = _lowest_local(confidence, right)
    return Bands(act=act, clarify=min(clarify, act))


def _lowest(
    confidence: Floats, right: NDArray[np.bool_], precision: float, default: float
) -> float:
    for candidate in np.arange(0.2, 0.96, 0.05):
        above = confidence >= candidate
        if above.sum() >= BAND_ROWS and right[above].mean() >= precision:
            return round(float(candidate), 2)
    return default


def _lowest_local(confidence: Floats, right: NDArray[np.bool_]) -> float:
    """Upper end of the highest band of width 0.1 in which most rows are wrong, else 0.2."""
    for upper in np.arange(0.7, 0.2, -0.05):
        band = (confidence >= upper - 0.1) & (confidence < upper)
        if band.sum() >= BAND_ROWS // 2 and right[band].mean() < CLARIFY_PRECISION:
            return round(float(upper), 2)
    return 0.2
