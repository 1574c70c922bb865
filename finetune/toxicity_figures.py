"""Areas under the ROC curve by set and label, and the one number that runs are compared by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from chatbot.safety.toxicity_weights import CLASSES
from finetune.toxicity_data import Row, matrix

Floats = NDArray[np.float32]
BAD, GOOD = 0.5, 0.25
"""A fraction of annotators from 0.5 up counts as yes, up to 0.25 as no; between them, neither."""
HEADLINE = (
    "jigsaw",
    "civil",
    "paradetox",
    "davidson",
    "hatemoji",
    "contrast",
    "group",
    "attitude",
    "desk",
    "bot",
)


def auc(wanted: NDArray[np.bool_], scores: Floats) -> float | None:
    """Area under the ROC curve, None where a class has fewer than three rows."""
    from sklearn.metrics import roc_auc_score

    if wanted.sum() < 3 or (~wanted).sum() < 3:
        return None
    return float(roc_auc_score(wanted, scores))


def report(rows: Sequence[Row], scores: Floats, split: str) -> dict[str, dict[str, float]]:
    """Set -> {"n", label: AUC}, of one split; contrast groups both apart and together."""
    values, _ = matrix(rows)
    found: dict[str, dict[str, float]] = {}
    names = [row.source for row in rows]
    groups = sorted({*names, *(n.split("_")[0] for n in names)})
    for group in groups:
        mine = np.array(
            [
                row.split == split and (row.source == group or row.source.split("_")[0] == group)
                for row in rows
            ],
            dtype=bool,
        )
        figures: dict[str, float] = {}
        for label, name in enumerate(CLASSES):
            target = values[:, label]
            sure = mine & ((target >= BAD) | (target <= GOOD))
            area = auc(target[sure] >= BAD, scores[sure, label])
            if area is not None:
                figures[name] = round(area, 4)
        if figures:
            found[group] = {"n": int(mine.sum()), **figures}
    return found


def headline(report_: Mapping[str, Mapping[str, float]]) -> float:
    """Mean over the sets of the AUC of `toxic`, and the mean of six on jigsaw: one number."""
    sets = [report_[name]["toxic"] for name in HEADLINE if "toxic" in report_.get(name, {})]
    six = [v for k, v in report_.get("jigsaw", {}).items() if k in CLASSES]
    return float(np.mean([*sets, np.mean(six)])) if six else float(np.mean(sets))
