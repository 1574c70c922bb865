"""Temperature, out-of-scope threshold and confidence bands, from dev rows only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from chatbot.routing.artifact import Bands, ScopeCalibration
from chatbot.routing.scope import ScopeParts, join_parts
from finetune.router_data import RouterRow

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


def fit_temperature(logits: Numbers, targets: NDArray[np.int64]) -> float:
    """The temperature with the lowest negative log-likelihood (C. Guo et al., 2017).

    ``logits`` (rows, intents), ``targets`` class ids.
    """

    def loss(temperature: float) -> float:
        scaled = logits / temperature
        top = scaled.max(axis=1, keepdims=True)
        total = top[:, 0] + np.log(np.exp(scaled - top).sum(axis=1))
        return float((total - scaled[np.arange(len(targets)), targets]).mean())

    return float(min(TEMPERATURES, key=loss))


def fit_multi_label(logits: Numbers, targets: NDArray[np.int64]) -> tuple[float, float]:
    """Temperature and shift of sigmoid logits with the lowest binary cross-entropy."""

    def loss(pair: tuple[float, float]) -> float:
        scaled = logits / pair[0] + pair[1]
        return float((np.logaddexp(0, scaled) - targets * scaled).mean())

    grid = [(float(t), float(s)) for t in TEMPERATURES[::4] for s in SHIFTS[::2]]
    return min(grid, key=loss)


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
    allowed = int(reject_share * (~outside).sum())
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


def fit_bands(confidence: Numbers, right: NDArray[np.bool_]) -> Bands:
    """The lowest confidences from which precision among dev rows holds."""
    act = _lowest(confidence, right, ACT_PRECISION, default=0.9)
    clarify = _lowest_local(confidence, right)
    return Bands(act=act, clarify=min(clarify, act))


def _lowest(
    confidence: Numbers, right: NDArray[np.bool_], precision: float, default: float
) -> float:
    for candidate in np.arange(0.2, 0.96, 0.05):
        above = confidence >= candidate
        if above.sum() >= BAND_ROWS and right[above].mean() >= precision:
            return round(float(candidate), 2)
    return default


def _lowest_local(confidence: Numbers, right: NDArray[np.bool_]) -> float:
    """Upper end of the highest band of width 0.1 in which most rows are wrong, else 0.2."""
    for upper in np.arange(0.7, 0.2, -0.05):
        band = (confidence >= upper - 0.1) & (confidence < upper)
        if band.sum() >= BAND_ROWS // 2 and right[band].mean() < CLARIFY_PRECISION:
            return round(float(upper), 2)
    return 0.2
