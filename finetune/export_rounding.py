"""How much of what training changed is left when a model is stored in fewer bits.

A base that was itself published in 4 bits lies on their grid. Training moves its weights by less
than half a step of it, and rounding moves most of them back: the file then holds the base.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from chatbot.answering.gguf_file import Precision, tensor_kind
from chatbot.answering.merging import merged_weights

LOST = 0.5
"""From here on the rounding error weighs half as much as the training."""


def rounding(base: Path, adapter: Path | None, precision: Precision) -> float | None:
    """Norm of the rounding error divided by the norm of what the adapter changed, over all
    matrices that it changed; None without an adapter. Some seconds."""
    import gguf

    if adapter is None:
        return None
    error = change = 0.0
    pairs = zip(merged_weights(base, None), merged_weights(base, adapter), strict=True)
    for (name, before), (_, after) in pairs:
        moved = float(np.square(after - before).sum())
        if not moved:
            continue
        kind = tensor_kind(name, after.shape, precision)
        stored = gguf.dequantize(gguf.quantize(after, kind), kind)
        change += moved
        error += float(np.square(stored.reshape(after.shape) - after).sum())
    return round((error / change) ** 0.5, 4) if change else None


def warning(share: float) -> str:
    """For the one who exports it all the same."""
    return (
        f"rounding to this precision changes the weights {share:.1f} times as much as the training "
        "did: expect the answers of the untuned base; gguf-q8_0 keeps the training"
    )
