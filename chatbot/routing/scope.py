"""How far a text lies outside everything the router was trained on.

Three views, each standardised on in-scope dev rows and summed with fixed weights:
the best cosine logit (D. Hendrycks et al., "Scaling Out-of-Distribution Detection for
Real-World Settings", 2022), the cosine distance to the k-th nearest training example
(Y. Sun et al., "Out-of-Distribution Detection with Deep Nearest Neighbors", 2022), and,
when out-of-scope rows were in the training file, the log-odds of their own output.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chatbot.routing.artifact import ScopeCalibration

NEIGHBOUR = 5  # the k-th; one odd training row then decides nothing
MAX_ODDS = 12.0  # log-odds beyond this say no more, and would drown the other views

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ScopeParts:
    """Columns, higher is further out: best logit, neighbour distance, learned log-odds."""

    values: Floats
    """Shape (texts, 2), or (texts, 3) with a learned output."""


def scope_parts(logits: Floats, similarity: Floats, *, learned: bool) -> ScopeParts:
    """Parts for raw ``logits`` (texts, outputs) and cosines to the training examples
    ``similarity`` (texts, examples)."""
    inside = logits[:, :-1] if learned else logits
    k = min(NEIGHBOUR, similarity.shape[1])
    kth = np.partition(similarity, -k, axis=1)[:, -k]
    columns = [-inside.max(axis=1), 1.0 - kth]
    if learned:
        best = inside.max(axis=1, keepdims=True)
        total = best[:, 0] + np.log(np.exp(inside - best).sum(axis=1))
        columns.append(np.clip(logits[:, -1] - total, -MAX_ODDS, MAX_ODDS))
    return ScopeParts(np.stack(columns, axis=1).astype(np.float32))


def join_parts(parts: ScopeParts, calibration: ScopeCalibration) -> NDArray[np.float64]:
    """One number a text, before the threshold; higher is further out."""
    centred = (parts.values - np.array(calibration.centres)) / np.array(calibration.spreads)
    joined: NDArray[np.float64] = centred @ np.array(calibration.weights)
    return joined


def scope_scores(parts: ScopeParts, calibration: ScopeCalibration) -> NDArray[np.float64]:
    """0..1 with 0.5 at the threshold: above it a text counts as out of scope."""
    scores: NDArray[np.float64] = 1.0 / (
        1.0 + np.exp(-np.clip(join_parts(parts, calibration) - calibration.threshold, -30, 30))
    )
    return scores
