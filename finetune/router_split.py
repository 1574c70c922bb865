"""Which rows train, which are held out, and which stay in the index of neighbours."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence

from finetune.router_data import RouterRow

HELD_OUT_ROWS = 500  # are enough to calibrate on; of a large file the rest had better be learnt


def hold_out(
    rows: Sequence[RouterRow], share: float, seed: int
) -> tuple[tuple[RouterRow, ...], tuple[RouterRow, ...]]:
    """A share of each intent's rows, or less than that of a large file; an intent always keeps
    at least one for training."""
    rng = random.Random(seed)
    share = min(share, HELD_OUT_ROWS / len(rows))
    groups: dict[tuple[str, ...], list[RouterRow]] = defaultdict(list)
    for row in rows:
        groups[row.intents[:1]].append(row)
    held: set[int] = set()
    for members in groups.values():
        count = min(max(1, round(share * len(members))), len(members) - 1)
        held |= {r.number for r in rng.sample(members, count)}
    return (
        tuple(r for r in rows if r.number not in held),
        tuple(r for r in rows if r.number in held),
    )


def index_rows(rows: Sequence[RouterRow], per_intent: int, seed: int) -> list[RouterRow]:
    """At most ``per_intent`` rows of each intent; rows of several count for their first."""
    groups: dict[str, list[RouterRow]] = defaultdict(list)
    for row in rows:
        if not row.out_of_scope:
            groups[row.intents[0] if row.intents else ""].append(row)
    rng = random.Random(seed)
    return [
        row
        for name in sorted(groups)
        for row in rng.sample(groups[name], min(per_intent, len(groups[name])))
    ]
