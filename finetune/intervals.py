"""How sure a share is: percentile bootstrap over rows.

Two models are compared on the same rows, drawn together, so that what is hard about a row counts
for neither. Source: B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, ch. 13.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
LEVEL = 0.95

Values = Sequence[float | None]
"""One number a row; None where the figure does not concern the row."""


@dataclass(frozen=True)
class Interval:
    """A mean, and between which bounds it lies at ``LEVEL``."""

    mean: float
    low: float
    high: float
    n: int

    def as_json(self) -> dict[str, float | int]:
        bounds = {"mean": self.mean, "low": self.low, "high": self.high}
        return {name: round(value, 4) for name, value in bounds.items()} | {"n": self.n}


def interval(values: Values, seed: int = 1) -> Interval | None:
    """Of the rows concerned; None where there is none."""
    array = _array(values)
    array = array[~np.isnan(array)]
    if not len(array):
        return None
    return _interval(_means(array, _draws(len(array), seed)), float(array.mean()), len(array))


def difference(first: Values, second: Values, seed: int = 1) -> Interval | None:
    """Of mean(second) - mean(first), rows drawn together; None where one has no row concerned.

    A row may concern only one of the two (an abstention cites nothing). Raises ValueError for
    lists of unequal length.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} rows cannot be paired with {len(second)}")
    one, other = _array(first), _array(second)
    if np.isnan(one).all() or np.isnan(other).all():
        return None
    draws = _draws(len(one), seed)
    gained = _means(other, draws) - _means(one, draws)
    concerned = int((~np.isnan(one) | ~np.isnan(other)).sum())
    return _interval(gained, float(np.nanmean(other) - np.nanmean(one)), concerned)


def _array(values: Values) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else float(value) for value in values])


def _draws(rows: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, rows, (RESAMPLES, rows))


def _means(values: NDArray[np.float64], draws: NDArray[np.int64]) -> NDArray[np.float64]:
    drawn = values[draws]
    known = (~np.isnan(drawn)).sum(axis=1)
    return np.where(known, np.nansum(drawn, axis=1) / np.maximum(known, 1), np.nan)


def _interval(means: NDArray[np.float64], mean: float, n: int) -> Interval:
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.nanpercentile(means, [tail, 100 - tail])
    return Interval(mean, float(low), float(high), n)
