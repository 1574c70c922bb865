"""Joins dense and lexical evidence into one ranking and one calibrated score.

The ranking is a convex-style combination of the cosine with the query's BM25 divided by
the best BM25 for that query (Bruch, Gai and Ingber 2023, https://arxiv.org/abs/2210.11934):
unlike rank fusion it keeps how far apart two candidates are. The score is a logistic
regression on features that mean the same for every query.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SATURATION = 2.2  # k1 + 1 at k1 = 1.2: no word adds more than this times its weight to BM25


@dataclass(frozen=True)
class Evidence:
    """What speaks for each candidate of one query; all of shape (n,), float32."""

    cosine: NDArray[np.float32]
    lexical: NDArray[np.float32]
    """BM25 over the best BM25 of this query: 0..1."""
    coverage: NDArray[np.float32]
    """BM25 over what a text with every word of the query many times would reach: 0..1."""

    def features(self) -> NDArray[np.float32]:
        """Shape (n, 2), for the relevance model."""
        return np.stack([self.cosine, self.coverage], axis=1)


@dataclass(frozen=True)
class Calibration:
    """How one help centre's evidence is weighed. ``knowledge_base calibrate`` writes it."""

    lexical_weight: float = 0.15
    coefficients: tuple[float, ...] = (9.0, 2.0)
    intercept: float = -4.0
    floor: float = 0.5
    """Passages whose relevance is below are not returned."""
    questions: int = 0
    """How many pseudo-questions it rests on; 0 for the defaults."""
    changed: int = 0
    """Articles added, changed or removed since."""
    figures: Mapping[str, float] | None = None

    def ranking(self, evidence: Evidence) -> NDArray[np.float32]:
        """Fused scores, shape (n,); only their order within one query means anything."""
        fused: NDArray[np.float32] = evidence.cosine + np.float32(self.lexical_weight) * (
            evidence.lexical
        )
        return fused

    def relevance(self, evidence: Evidence) -> NDArray[np.float32]:
        """Estimated probability, 0..1 and shape (n,), that a candidate answers the query."""
        return self.probability(evidence.features())

    def probability(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """The same for features of shape (n, 2)."""
        logits = features @ np.asarray(self.coefficients) + self.intercept
        probability: NDArray[np.float32] = (1 / (1 + np.exp(-logits))).astype(np.float32)
        return probability

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Calibration:
        return cls(**{**values, "coefficients": tuple(values["coefficients"])})
