"""Entities of texts from the tags of their windows, which overlap where a text is long."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from chatbot.tags import decode_tags
from chatbot.tokens import Window
from chatbot.types import Entity


class TokenEntities:
    """Collects what each window says of its text."""

    def __init__(self, texts: Sequence[str], labels: Sequence[str]) -> None:
        self._texts, self._labels = texts, labels
        self._found: list[dict[tuple[int, int], Entity]] = [{} for _ in texts]

    def add(self, window: Window, scores: NDArray[np.float32]) -> None:
        """``scores`` are log-probabilities, shape (tokens of the window, tags)."""
        text, found = self._texts[window.row], self._found[window.row]
        real = [i for i, (start, end) in enumerate(window.offsets) if end > start]
        offsets = [window.offsets[i] for i in real]
        for start, end, label, score in decode_tags(scores[real], offsets, self._labels):
            known = found.get((start, end))
            if known is None or known.score < score:
                span = text[start:end]
                found[(start, end)] = Entity(label, start, end, span, source="model", score=score)

    def of(self, row: int) -> tuple[Entity, ...]:
        """By position. Where two windows disagree the longer span wins: the other one was cut by
        a border."""
        kept: list[Entity] = []
        for entity in sorted(self._found[row].values(), key=lambda e: (e.start - e.end, e.start)):
            if all(entity.end <= k.start or entity.start >= k.end for k in kept):
                kept.append(entity)
        return tuple(sorted(kept, key=lambda e: e.start))
