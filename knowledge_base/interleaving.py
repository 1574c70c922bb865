"""One list of what several queries found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import TypeVar

from knowledge_base.passage import Passage

LEADS_FROM = 0.1
"""Probability from which a unit leads the answer to its question."""

T = TypeVar("T")


def interleaved(lists: Sequence[Sequence[T]], k: int, key: Callable[[T], str]) -> list[T]:
    """The first of each list, then the second of each, … up to ``k`` different ones."""
    merged: dict[str, T] = {}
    for place in zip_longest(*lists):
        for item in place:
            if item is not None:
                merged.setdefault(key(item), item)
    return list(merged.values())[:k]


def best_of(passages: Sequence[Passage]) -> Passage:
    """One passage as several queries found it: the best score, and the best of each unit. A query
    that found it behind the candidates that are judged has no units to say."""
    judged = [passage.units for passage in passages if passage.units]
    return replace(
        passages[0],
        score=max(passage.score for passage in passages),
        units=tuple(max(same, key=lambda pair: pair[1]) for same in zip(*judged, strict=True)),
    )


def leading(kept: Sequence[Passage], asked: Sequence[Sequence[Passage]]) -> list[Passage]:
    """``kept`` with the unit that answers each of several questions best; ``asked`` is what each
    of them found by itself."""
    places = {passage.chunk for passage in kept}
    leads: dict[str, list[tuple[int, int]]] = {}
    for question, found in enumerate(asked):
        units = (
            (score, passage.chunk, number)
            for passage in found
            if passage.chunk in places
            for number, (_, score) in enumerate(passage.units)
        )
        score, chunk, number = max(units, key=lambda unit: unit[0], default=(0.0, "", 0))
        if score >= LEADS_FROM:
            leads.setdefault(chunk, []).append((question, number))
    return [replace(p, leads=tuple(leads.get(p.chunk, ()))) for p in kept]
