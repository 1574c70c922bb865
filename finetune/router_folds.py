"""Folds of rows, so that each is judged by a head that did not learn it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

FOLDS = 5
STRENGTH = 20.0  # inverse regularisation: 10 to 30 are equal on BANKING77 with 10 to 60 an intent

Places = NDArray[np.int64]


def folds_of(labels: Places, seed: int, count: int = FOLDS) -> Iterator[tuple[Places, Places]]:
    """Training and held-out places of ``count`` folds; the rows of a label are spread over them.

    ``labels`` (rows,). The one row of a label is in no training part of its own fold.
    """
    rng = np.random.default_rng(seed)
    fold = np.zeros(len(labels), dtype=np.int64)
    dealt = 0
    for label in np.unique(labels):
        places = rng.permutation(np.flatnonzero(labels == label))
        fold[places] = (dealt + np.arange(len(places))) % count
        dealt += len(places)
    for held in np.unique(fold):
        yield np.flatnonzero(fold != held), np.flatnonzero(fold == held)
