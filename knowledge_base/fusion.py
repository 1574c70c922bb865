"""Joins dense and lexical evidence into one ranking and one calibrated score.

The ranking is a convex-style combination of the cosine with the query's BM25 divided by
the best BM25 for that query (Bruch, Gai and Ingber 2023, https://arxiv.org/abs/2210.11934):
unlike rank fusion it keeps how far apart two candidates are. The score is a logistic
function of the same sum, with BM25 measured against what the query could reach at most.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SATURATION = 2.2  # k1 + 1 at k1 = 1.2: no word adds more than this times its weight to BM25
ARTICLE_SHARE = 0.3
"""Of the dense evidence, how much is the cosine with the article's mean vector. Of 0, 0.17, 0.29
and 0.41, measured where articles have several chunks (146 and 25 articles, 65 questions), 0.17
and 0.29 added 0 to 0.06 MRR; where articles have one chunk, it only rescales the cosine."""


@dataclass(frozen=True)
class Evidence:
    """What speaks for each candidate of one query; all of shape (n,), float32."""

    dense: NDArray[np.float32]
    """Cosine with the chunk, mixed with the cosine with its article's mean vector."""
    lexical: NDArray[np.float32]
    """BM25 over the best BM25 of this query: 0..1."""
    coverage: NDArray[np.float32]
    """BM25 over what a text with every word of the query many times would reach: 0..1."""

    def ordered(self, order: NDArray[np.int64]) -> Evidence:
        return Evidence(self.dense[order], self.lexical[order], self.coverage[order])


@dataclass(frozen=True)
class Calibration:
    """How one help centre's evidence is weighed. ``knowledge_base calibrate`` writes it.

    The defaults were measured on a help centre of 146 articles; they serve until there are
    enough articles to calibrate with.
    """

    lexical_weight: float = 0.2
    typical_coverage: float = 0.15
    """Median coverage of the right passage; it brings coverage onto the scale of ``lexical``."""
    slope: float = 8.0
    intercept: float = -5.0
    floor: float = 0.3
    """Passages whose relevance is below are not returned."""
    questions: int = 0
    """How many pseudo-questions it rests on; 0 for the defaults."""
    changed: int = 0
    """Articles added, changed or removed since."""
    figures: Mapping[str, float] | None = None

    def ranking(self, evidence: Evidence) -> NDArray[np.float32]:
        """Fused scores, shape (n,); only their order within one query means anything."""
        fused: NDArray[np.float32] = (
            evidence.dense + np.float32(self.lexical_weight) * evidence.lexical
        )
        return fused

    def strength(self, evidence: Evidence) -> NDArray[np.float32]:
        """The same fusion on a scale that means the same for every query, shape (n,)."""
        weight = np.float32(self.lexical_weight / self.typical_coverage)
        strength: NDArray[np.float32] = evidence.dense + weight * evidence.coverage
        return strength

    def relevance(self, evidence: Evidence) -> NDArray[np.float32]:
        """Estimated probability, 0..1 and shape (n,), that a candidate answers the query."""
        return self.probability(self.strength(evidence))

    def probability(self, strength: NDArray[np.float32]) -> NDArray[np.float32]:
        logits = self.slope * strength + self.intercept
        probability: NDArray[np.float32] = (1 / (1 + np.exp(-logits))).astype(np.float32)
        return probability

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Calibration:
        return cls(**values)
