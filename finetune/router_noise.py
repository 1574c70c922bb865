"""Rows whose label looks wrong: confident learning over out-of-fold probabilities.

The probabilities come from a logistic regression on the untrained encoder's vectors, so that
no row was seen by the model that doubts it. It is also the baseline that training must beat.
Source: C. Northcutt et al., "Confident Learning", 2021; https://docs.cleanlab.ai/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finetune.router_data import RouterRow
from finetune.router_folds import FOLDS, STRENGTH, folds_of


@dataclass(frozen=True, slots=True)
class Doubt:
    """``score`` is the probability of the row's own label (of the least likely of several);
    ``text`` is empty for a borrowed row."""

    row: int
    text: str
    intents: tuple[str, ...]
    suggested: tuple[str, ...]
    score: float

    def as_json(self) -> dict[str, Any]:
        return {
            "row": self.row,
            "text": self.text,
            "intent": list(self.intents),
            "suggested": list(self.suggested),
            "score": round(self.score, 4),
        }


@dataclass(frozen=True, slots=True)
class Doubts:
    """``accuracy`` is that of the baseline: right rows, or right whole sets of labels."""

    rows: tuple[Doubt, ...]
    accuracy: float | None


def find_doubts(
    rows: Sequence[RouterRow],
    vectors: NDArray[np.float32],
    *,
    multi_label: bool,
    seed: int,
) -> Doubts:
    """Most doubtful first. ``vectors`` (rows, hidden) are the untrained encoder's; rows that are
    out of scope, and labels of a single row, are left out."""
    known = [i for i, r in enumerate(rows) if not r.out_of_scope]
    counts = Counter(name for i in known for name in rows[i].intents)
    names = sorted(name for name, count in counts.items() if count >= 2)
    if multi_label:
        return _of_several(rows, vectors, known, names, seed) if names else Doubts((), None)
    known = [i for i in known if counts[rows[i].intents[0]] >= 2]
    if len(names) < 2:
        return Doubts((), None)
    return _of_one(rows, vectors, known, names, seed)


def _of_one(
    rows: Sequence[RouterRow],
    vectors: NDArray[np.float32],
    known: Sequence[int],
    names: Sequence[str],
    seed: int,
) -> Doubts:
    from cleanlab.filter import find_label_issues

    places = {name: place for place, name in enumerate(names)}
    labels = np.array([places[rows[i].intents[0]] for i in known])
    chances = _out_of_fold(vectors[known], labels, folds_of(labels, seed), len(names))
    # Of one wrong label in twenty, at 20 rows for each of 25 intents, this filter lists 91% among
    # 77 rows, cleanlab's default 79% among 102 (three draws, tests/finetune/test_router_noise.py).
    issues = find_label_issues(
        labels,
        chances,
        return_indices_ranked_by="self_confidence",
        filter_by="low_self_confidence",
        n_jobs=1,
    )
    best = chances.argmax(axis=1)
    doubts = tuple(
        Doubt(
            rows[known[i]].number,
            rows[known[i]].shown,
            rows[known[i]].intents,
            (names[best[i]],),
            float(chances[i, labels[i]]),
        )
        for i in issues
        if best[i] != labels[i]
    )
    return Doubts(doubts, float((best == labels).mean()))


def _of_several(
    rows: Sequence[RouterRow],
    vectors: NDArray[np.float32],
    known: Sequence[int],
    names: Sequence[str],
    seed: int,
) -> Doubts:
    from cleanlab.multilabel_classification.filter import find_label_issues
    from sklearn.model_selection import KFold

    truth = np.array([[name in rows[i].intents for name in names] for i in known], dtype=int)
    folds = list(KFold(min(FOLDS, len(known)), shuffle=True, random_state=seed).split(truth))
    chances = np.stack(
        [
            _out_of_fold(vectors[known], truth[:, place], folds, 2)[:, 1]
            for place in range(len(names))
        ],
        axis=1,
    )
    labels = [list(np.flatnonzero(row)) for row in truth]
    issues = find_label_issues(
        labels, chances, return_indices_ranked_by="self_confidence", n_jobs=1
    )
    guess = chances >= 0.5
    own = np.where(truth == 1, chances, 1 - chances).min(axis=1)
    doubts = tuple(
        Doubt(
            rows[known[i]].number,
            rows[known[i]].shown,
            rows[known[i]].intents,
            tuple(name for name, said in zip(names, guess[i], strict=True) if said),
            float(own[i]),
        )
        for i in issues
        if (guess[i] != (truth[i] == 1)).any()
    )
    return Doubts(doubts, float((guess == (truth == 1)).all(axis=1).mean()))


def _out_of_fold(
    vectors: NDArray[np.float32], labels: NDArray[np.int64], folds: Any, classes: int
) -> NDArray[np.float64]:
    """Shape (rows, classes); a class that a fold's training rows lack has probability 0."""
    from sklearn.linear_model import LogisticRegression

    chances = np.zeros((len(labels), classes))
    for train, held in folds:
        seen = np.unique(labels[train])
        if len(seen) == 1:
            chances[held, seen[0]] = 1.0
            continue
        model = LogisticRegression(C=STRENGTH, max_iter=200).fit(vectors[train], labels[train])
        chances[np.ix_(held, model.classes_)] = model.predict_proba(vectors[held])
    return chances
