"""From the head's logits and the neighbours' votes to calibrated probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Confidence:
    """What calibration found on dev rows."""

    multi_label: bool
    temperature: float
    shift: float = 0.0
    """Added to multi-label logits after the temperature."""
    neighbour_share: float = 0.0
    """How much of a probability is the vote of the nearest training examples."""

    def of(self, logits: Floats, votes: Floats) -> Floats:
        """Shape (texts, intents): softmax, or a sigmoid an intent, mixed with ``votes``
        (texts, intents). ``logits`` may have a last column for what is out of scope."""
        inside = logits[:, : votes.shape[1]] / self.temperature + self.shift
        if self.multi_label:
            chances = 1.0 / (1.0 + np.exp(-inside))
        else:
            chances = np.exp(inside - inside.max(axis=1, keepdims=True))
            chances = chances / chances.sum(axis=1, keepdims=True)
        mixed: Floats = (1 - self.neighbour_share) * chances + self.neighbour_share * votes
        return mixed
