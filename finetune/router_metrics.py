"""Figures of a router on labelled rows: the output of ``finetune evaluate router``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from chatbot.types import Prediction
from finetune.router_data import RouterRow

ECE_BINS = 15  # C. Guo et al., "On Calibration of Modern Neural Networks", 2017
MULTI_LABEL_THRESHOLD = 0.5  # the sigmoid is calibrated: more likely than not


def expected_calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Mean gap between confidence and accuracy over equal-width bins, weighted by rows."""
    bins = np.clip((confidence * ECE_BINS).astype(int), 0, ECE_BINS - 1)
    gaps = [
        (bins == b).mean() * abs(confidence[bins == b].mean() - right[bins == b].mean())
        for b in np.unique(bins)
    ]
    return float(np.sum(gaps))


def f1(true_positive: int, false_positive: int, false_negative: int) -> float:
    total = 2 * true_positive + false_positive + false_negative
    return 2 * true_positive / total if total else 0.0


def chosen(prediction: Prediction, multi_label: bool) -> frozenset[str]:
    """The intents that a prediction stands for."""
    if multi_label:
        return frozenset(i for i, p in prediction.intents if p >= MULTI_LABEL_THRESHOLD)
    return frozenset((prediction.intent,))


def measure(
    rows: Sequence[RouterRow], predictions: Sequence[Prediction], *, multi_label: bool
) -> dict[str, float | int | None]:
    """Keys as documented in interface.md, and ``micro_f1``; None where no row allows a figure.

    ``intent_accuracy`` counts an in-scope row that was refused as wrong. For several intents
    a row, a row is right when its whole set is.
    """
    pairs = list(zip(rows, predictions, strict=True))
    inside = [(r, p) for r, p in pairs if not r.out_of_scope]
    outside = [p for r, p in pairs if r.out_of_scope]
    picked = [(frozenset(r.intents), chosen(p, multi_label)) for r, p in inside]
    right = np.array([truth == guess for truth, guess in picked], dtype=bool)
    kept = np.array([not p.out_of_scope for _, p in inside], dtype=bool)
    names = sorted({i for truth, guess in picked for i in truth | guess})
    counts = {
        name: (
            sum(name in t and name in g for t, g in picked),
            sum(name not in t and name in g for t, g in picked),
            sum(name in t and name not in g for t, g in picked),
        )
        for name in names
    }
    totals = [sum(c[k] for c in counts.values()) for k in range(3)]
    return {
        "intent_accuracy": float((right & kept).mean()) if inside else None,
        "intent_accuracy_no_rejection": float(right.mean()) if inside else None,
        "macro_f1": float(np.mean([f1(*c) for c in counts.values()])) if counts else None,
        "micro_f1": f1(*totals) if counts else None,
        "oos_auroc": _auroc(inside, outside),
        "oos_recall": float(np.mean([p.out_of_scope for p in outside])) if outside else None,
        "ece": _ece(inside, right, multi_label),
        "entity_f1": _entity_f1(pairs),
        "n": len(rows),
    }


def _auroc(
    inside: Sequence[tuple[RouterRow, Prediction]], outside: Sequence[Prediction]
) -> float | None:
    if not inside or not outside:
        return None
    from sklearn.metrics import roc_auc_score

    truth = [0] * len(inside) + [1] * len(outside)
    scores = [p.out_of_scope_score for _, p in inside] + [p.out_of_scope_score for p in outside]
    return float(roc_auc_score(truth, scores))


def _ece(
    inside: Sequence[tuple[RouterRow, Prediction]], right: NDArray[np.bool_], multi_label: bool
) -> float | None:
    if not inside:
        return None
    if not multi_label:
        return expected_calibration_error(np.array([p.confidence for _, p in inside]), right)
    flat = [(p, name in row.intents) for row, pred in inside for name, p in pred.intents]
    return expected_calibration_error(
        np.array([p for p, _ in flat]), np.array([t for _, t in flat], dtype=bool)
    )


def _entity_f1(pairs: Sequence[tuple[RouterRow, Prediction]]) -> float | None:
    """Micro F1 of exact spans with their label; None when no row has entities."""
    truth = [{(e.start, e.end, e.label) for e in row.entities} for row, _ in pairs]
    found = [
        {(e.start, e.end, e.label) for e in p.entities if e.source == "model"} for _, p in pairs
    ]
    if not any(truth):
        return None
    hits = sum(len(t & f) for t, f in zip(truth, found, strict=True))
    extra = sum(len(f - t) for t, f in zip(truth, found, strict=True))
    missed = sum(len(t - f) for t, f in zip(truth, found, strict=True))
    return f1(hits, extra, missed)
