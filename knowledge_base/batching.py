"""Shared micro-batching: whoever calls first runs what all who wait have asked for.

No thread and no timer of its own: a caller that finds the model free runs at once, so an idle
server adds no delay; callers that arrive meanwhile are served together by the next one
(flat combining, Hendler et al. 2010, https://doi.org/10.1145/1810479.1810540).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Floats = NDArray[np.float32]
Answer = tuple[Floats, ...]
"""Outputs for one row: of shape (size,), or (tokens, size) for an output a token."""

STEP = 8  # widths are rounded up to it: each new shape costs 1 to 2 ms and 0.4 MB once
CALL_TOKENS = 16  # what starting one more forward pass costs, in tokens of padding
PASS_TOKENS = 1024  # in one pass, padding included; more gain no speed and keep more memory


@dataclass(frozen=True, slots=True)
class Row:
    """Token ids of one text or pair, without padding; ``types`` tells the two of a pair."""

    ids: Sequence[int]
    types: Sequence[int] = ()


class Forward(Protocol):
    """One pass of a network. Not safe for several threads at once: ``Batched`` sees to that."""

    def run(self, ids: Ids, mask: Ids, types: Ids) -> Sequence[Floats]:
        """All inputs have shape (rows, tokens); outputs (rows, size) or (rows, tokens, size)."""
        ...


@dataclass(slots=True)
class _Job:
    rows: Sequence[Row]
    answers: list[Answer] = field(default_factory=list)
    error: Exception | None = None
    done: bool = False


class Batched:
    """A network that several threads may call; their rows share its passes."""

    def __init__(self, forward: Forward, pad: int = 0) -> None:
        self._forward, self._pad = forward, pad
        self._waiting: list[_Job] = []
        self._guard, self._turn = Lock(), Lock()
        self.passes = 0
        """Forward passes so far."""

    def run(self, rows: Sequence[Row]) -> list[Answer]:
        """The answers in the order of ``rows``; raises what the network raises."""
        if not rows:
            return []
        job = _Job(rows)
        with self._guard:
            self._waiting.append(job)
        with self._turn:
            if not job.done:
                with self._guard:
                    jobs, self._waiting = self._waiting, []
                self._serve(jobs)
        if job.error is not None:
            raise job.error
        return job.answers

    def _serve(self, jobs: Sequence[_Job]) -> None:
        rows = [row for job in jobs for row in job.rows]
        try:
            answers = self._answers(rows)
        except Exception as error:  # noqa: BLE001 - whatever it is, each caller has to know it
            for job in jobs:
                job.error, job.done = error, True
            return
        start = 0
        for job in jobs:
            job.answers = answers[start : start + len(job.rows)]
            start += len(job.rows)
            job.done = True

    def _answers(self, rows: Sequence[Row]) -> list[Answer]:
        found: list[Answer] = [()] * len(rows)
        for places in alike([len(row.ids) for row in rows]):
            batch = [rows[place] for place in places]
            outputs = self._forward.run(*padded(batch, self._pad))
            self.passes += 1
            for index, place in enumerate(places):
                size = len(batch[index].ids)
                found[place] = tuple(
                    output[index, :size] if output.ndim == 3 else output[index]
                    for output in outputs
                )
        return found


def alike(lengths: Sequence[int]) -> list[list[int]]:
    """Places in batches of like length, shortest first.

    A batch ends where padding its rows to the next length costs more than another pass.
    """
    order = sorted(range(len(lengths)), key=lambda place: lengths[place])
    batches: list[list[int]] = []
    width = 0
    for place in order:
        wanted = _rounded(lengths[place])
        rows = len(batches[-1]) if batches else 0
        padding = rows * (wanted - width)
        if not rows or padding > CALL_TOKENS or (rows + 1) * wanted > PASS_TOKENS:
            batches.append([])
        batches[-1].append(place)
        width = wanted
    return batches


def padded(rows: Sequence[Row], pad: int) -> tuple[Ids, Ids, Ids]:
    """Ids, mask and types, each of shape (rows, longest rounded up to ``STEP``)."""
    shape = (len(rows), _rounded(max(len(row.ids) for row in rows)))
    ids = np.full(shape, pad, dtype=np.int64)
    mask, types = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    for place, row in enumerate(rows):
        ids[place, : len(row.ids)] = row.ids
        mask[place, : len(row.ids)] = 1
        types[place, : len(row.types)] = row.types
    return ids, mask, types


def _rounded(length: int) -> int:
    return -(-length // STEP) * STEP
