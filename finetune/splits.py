"""Train, dev and test without leaks: what shares a conversation or an article stays together."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Hashable, Sequence

SHARES = {"train": 0.6, "dev": 0.2, "test": 0.2}


def split(
    keys: Sequence[Sequence[Hashable]], shares: dict[str, float] | None = None, seed: int = 1
) -> list[str]:
    """The split of each row, whose ``keys`` name what it must not be parted from.

    Groups are dealt largest first to the split that lacks most, so that a small file comes near
    the shares; one group that holds nearly everything cannot be divided.
    """
    wanted = shares or SHARES
    groups = _groups(keys)
    rng = random.Random(seed)
    rng.shuffle(groups)
    groups.sort(key=len, reverse=True)
    filled = dict.fromkeys(wanted, 0)
    found = [""] * len(keys)
    for members in groups:
        name = max(wanted, key=lambda n: wanted[n] * len(keys) - filled[n])
        filled[name] += len(members)
        for row in members:
            found[row] = name
    return found


def _groups(keys: Sequence[Sequence[Hashable]]) -> list[list[int]]:
    """Connected rows, by union-find over their keys."""
    parent = list(range(len(keys)))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    first: dict[Hashable, int] = {}
    for row, names in enumerate(keys):
        for name in names:
            parent[root(row)] = root(first.setdefault(name, row))
    groups: dict[int, list[int]] = defaultdict(list)
    for row in range(len(keys)):
        groups[root(row)].append(row)
    return [groups[name] for name in sorted(groups)]
