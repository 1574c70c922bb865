"""Pictures of a router's dev rows, as PNG bytes."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN_INTENTS = 30  # with more, a cell is smaller than a letter: the most confused are shown
DOTS_PER_INCH = 110
BINS = 10


def confusion(pairs: Sequence[tuple[str, str]]) -> bytes:
    """A matrix of (true, guessed) intents, share of the true intent's rows."""
    from matplotlib.figure import Figure

    wrong = Counter(name for pair in pairs if pair[0] != pair[1] for name in pair)
    names = sorted({name for pair in pairs for name in pair}, key=lambda n: (-wrong[n], n))
    names = sorted(names[:SHOWN_INTENTS])
    place = {name: i for i, name in enumerate(names)}
    counts = np.zeros((len(names), len(names)))
    for true, guessed in pairs:
        if true in place and guessed in place:
            counts[place[true], place[guessed]] += 1
    rows = Counter(true for true, _ in pairs)
    shares = counts / np.array([[max(1, rows[name])] for name in names])
    side = max(4.0, 0.28 * len(names) + 2.5)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.set_xlabel("guessed")
    axes.set_ylabel("true")
    for i, j in zip(*np.nonzero(counts), strict=True):
        colour = "white" if shares[i, j] > 0.5 else "black"
        axes.text(j, i, f"{counts[i, j]:.0f}", ha="center", va="center", fontsize=6, color=colour)
    return _png(figure)


def trade_off(curve: Sequence[dict[str, float]]) -> bytes:
    """In-scope accuracy after refusal against out-of-scope recall."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.plot(
        [point["oos_recall"] for point in curve],
        [point["intent_accuracy"] for point in curve],
        marker=".",
    )
    axes.set_xlabel("out-of-scope recall")
    axes.set_ylabel("in-scope accuracy, refused counted as wrong")
    axes.grid(alpha=0.3)
    return _png(figure)


def reliability(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> bytes:
    """How often the router is right at each stated confidence."""
    from matplotlib.figure import Figure

    bins = np.clip((confidence * BINS).astype(int), 0, BINS - 1)
    used = np.unique(bins)
    figure = Figure(figsize=(4, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    axes.plot(
        [confidence[bins == b].mean() for b in used],
        [right[bins == b].mean() for b in used],
        marker="o",
    )
    axes.set_xlabel("confidence")
    axes.set_ylabel("share right")
    axes.grid(alpha=0.3)
    return _png(figure)


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DOTS_PER_INCH)
    return file.getvalue()
