"""How much a reviewer changed: word-level edit distance.

Source: Levenshtein (1966); the row-at-a-time form with a running minimum for insertions.
"""

from __future__ import annotations

import numpy as np


def edit_distance(before: str, after: str) -> float:
    """Words inserted, removed or exchanged over the words of the longer text: 0 to 1."""
    left, right = before.split(), after.split()
    longest = max(len(left), len(right))
    if longest == 0:
        return 0.0
    numbers: dict[str, int] = {}
    old = [numbers.setdefault(word, len(numbers)) for word in left]
    new = np.array([numbers.setdefault(word, len(numbers)) for word in right], dtype=np.int64)
    steps = np.arange(len(right) + 1, dtype=np.int64)
    row = steps.copy()
    for word in old:
        best = np.minimum(row[1:] + 1, row[:-1] + (new != word))
        best = np.concatenate(([row[0] + 1], best))
        row = np.minimum.accumulate(best - steps) + steps  # insertions, all at once
    return float(row[-1]) / longest
