"""BIO tags: character spans to one tag per token, and back.

Tag 0 is O; label k (0-based) has B at 2k + 1 and I at 2k + 2. Decoding takes the best legal
path (I only after B or I of its own label), so a span can never start in the middle.
Source: L. Ramshaw, M. Marcus, "Text Chunking using Transformation-Based Learning", 1995.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Span = tuple[int, int, str]
"""Start and end (exclusive) in characters of the text as sent, and the label."""

OUTSIDE = 0
IGNORED = -100  # torch's cross-entropy skips this target: special tokens have no tag


def tag_count(labels: Sequence[str]) -> int:
    return 2 * len(labels) + 1


def encode_tags(
    offsets: Sequence[tuple[int, int]], spans: Sequence[Span], labels: Sequence[str]
) -> list[int]:
    """One tag per token; a token that touches a span belongs to it; (0, 0) tokens are ignored."""
    tags = []
    previous: Span | None = None
    for start, end in offsets:
        if start == end:
            tags.append(IGNORED)
            continue
        span = next((s for s in spans if start < s[1] and end > s[0]), None)
        if span is None:
            tags.append(OUTSIDE)
        else:
            first = 2 * labels.index(span[2]) + 1
            tags.append(first + 1 if span == previous else first)
        previous = span
    return tags


def best_path(scores: NDArray[np.float32]) -> list[int]:
    """The best legal tag sequence for log-probabilities of shape (tokens, tags)."""
    tokens, tags = scores.shape
    if tokens == 0:
        return []
    inside = np.arange(2, tags, 2)
    totals = scores[0].copy()
    totals[inside] = -np.inf
    back = np.zeros((tokens, tags), dtype=np.int64)
    for token in range(1, tokens):
        best = int(totals.argmax())
        step = np.full(tags, totals[best], dtype=scores.dtype)
        back[token] = best
        from_begin = totals[inside - 1] >= totals[inside]
        back[token, inside] = np.where(from_begin, inside - 1, inside)
        step[inside] = np.where(from_begin, totals[inside - 1], totals[inside])
        totals = step + scores[token]
    path = [int(totals.argmax())]
    for token in range(tokens - 1, 0, -1):
        path.append(int(back[token, path[-1]]))
    return path[::-1]


def decode_tags(
    scores: NDArray[np.float32], offsets: Sequence[tuple[int, int]], labels: Sequence[str]
) -> list[tuple[int, int, str, float]]:
    """Spans with their mean probability, in order, never overlapping.

    ``scores`` are log-probabilities, shape (tokens, 2 * len(labels) + 1), without special
    tokens; ``offsets`` are the tokens' characters.
    """
    spans: list[tuple[int, int, str, float]] = []
    certainty: list[float] = []
    for token, tag in enumerate(best_path(scores)):
        if tag == OUTSIDE:
            continue
        start, end = offsets[token]
        probability = float(np.exp(scores[token, tag]))
        if tag % 2 == 1:
            certainty = [probability]
            spans.append((start, end, labels[(tag - 1) // 2], probability))
        else:
            certainty.append(probability)
            spans[-1] = (spans[-1][0], end, spans[-1][2], float(np.mean(certainty)))
    return spans
