"""What of the passages the model reads: the units that answer the question most likely.

A model of this size picks the right sentence out of eight far more often than out of thirty.
The gate still checks every sentence against the whole passages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chatbot.types import Passage

MAX_UNITS = 3
MAX_WORDS = 100  # of all units together, about 150 tokens


def focused(passages: Sequence[Passage]) -> tuple[tuple[Passage, ...], tuple[Passage, ...]]:
    """The passages that have one of the best units, whole, and the same with those units alone
    (in the order of the passage, a line each). Of several questions in one message the best unit
    of each comes first. Passages without judged units stay as they are.
    """
    ranked = sorted(
        (
            (score + any(number == lead for _, lead in passage.leads), place, number)
            for place, passage in enumerate(passages)
            for number, (_, score) in enumerate(passage.units)
        ),
        key=lambda item: -item[0],
    )
    chosen: dict[int, set[int]] = {}
    words = 0
    for _, place, number in ranked[:MAX_UNITS]:
        words += len(passages[place].units[number][0].split())
        if chosen and words > MAX_WORDS:
            break
        chosen.setdefault(place, set()).add(number)
    kept = [p for place, p in enumerate(passages) if place in chosen or not p.units]
    shown = [
        replace(p, text="\n".join(p.units[n][0] for n in sorted(chosen[place])))
        if place in chosen
        else p
        for place, p in enumerate(passages)
        if place in chosen or not p.units
    ]
    return tuple(kept), tuple(shown)
