"""The reranker: a small cross-encoder that judges whether a piece of text answers a question.

It reads "question [SEP] title > heading. unit" (a unit is a sentence, an item, a table row)
through the shared encoder with its own LoRA adapter merged in, so that each word of the question
can look at each word of the unit. On disk: ``reranker.json`` and ``reranker.safetensors``
(adapter, fp16); ``finetune reranker`` writes them. Source of the method: Nogueira and Cho 2019,
https://arxiv.org/abs/1901.04085.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from knowledge_base.encoder import EncoderFiles
from knowledge_base.errors import KnowledgeError
from knowledge_base.lora import AdapterUnusable
from knowledge_base.pairs import PairScorer

DEFAULT = Path(__file__).parent / "weights" / "reranker"
FORMAT = 1
MANIFEST = "reranker.json"
TENSORS = "reranker.safetensors"
MAX_TOKENS = 128  # of question, place and unit together
DEPTH = 24
"""How many candidates are judged, each by its units: about 60 short pairs a question."""
BOUND = 1e-4  # probabilities are cut here before their logits are taken


class RerankerUnusable(KnowledgeError):
    """The reranker's files are missing, damaged or made for another encoder."""


class Manifest(BaseModel):
    """What ``reranker.json`` holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int
    encoder: str
    encoder_digest: str
    scale: float
    """LoRA's alpha / rank."""
    temperature: float = Field(gt=0)
    """The network's logit is divided by it, then ``shift`` is added: Platt's calibration."""
    shift: float
    weight: float = Field(ge=0, le=1)
    """Share of the reranker's logit beside the logit of the fused relevance."""
    floor: float = Field(ge=0, le=1)
    """Passages whose combined probability is below are not returned."""
    trade_off: tuple[dict[str, float], ...]
    """Floors that were looked at: share of answerable questions kept, of others silent."""


class Reranker:
    """Scores passages against a question. Safe for several threads, which share passes."""

    def __init__(self, manifest: Manifest, pairs: PairScorer) -> None:
        self.manifest = manifest
        self._pairs = pairs

    @classmethod
    def load(cls, directory: Path = DEFAULT, encoder: EncoderFiles | None = None) -> Reranker:
        """Raises RerankerUnusable for missing or damaged files, or another encoder's."""
        files = encoder or EncoderFiles()
        manifest = read_manifest(directory)
        if manifest.encoder_digest != files.digest:
            raise RerankerUnusable(
                f"{directory} was trained on the encoder {manifest.encoder_digest}, the setting "
                f"gives {files.digest}; train again with: python -m finetune reranker"
            )
        tensors = directory / TENSORS
        try:
            pairs = PairScorer.load("reranker", tensors, manifest.scale, MAX_TOKENS, files)
        except AdapterUnusable as error:
            raise RerankerUnusable(str(error)) from None
        return cls(manifest, pairs)

    @property
    def floor(self) -> float:
        return self.manifest.floor

    def score(self, question: str, passages: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        """Calibrated probabilities, shape (n,), that each (place, text) answers the question.

        ``place`` is the passage's title and heading, as ``place_of`` joins them.
        """
        logits = self.logits(question, passages) / self.manifest.temperature + self.manifest.shift
        probability: NDArray[np.float32] = (1 / (1 + np.exp(-logits))).astype(np.float32)
        return probability

    def logits(self, question: str, passages: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
        """What the network says before calibration, shape (n,)."""
        return self._pairs.logits_for(question, [evidence(*passage) for passage in passages])

    def combined(
        self, probability: NDArray[np.float32], relevance: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """One probability of the reranker's and of the fused relevance, both of shape (n,)."""
        return combine(probability, relevance, self.manifest.weight)


def combine(
    probability: NDArray[np.float32], relevance: NDArray[np.float32], weight: float
) -> NDArray[np.float32]:
    """Weighted mean of two probabilities' logits (logarithmic opinion pool), shape (n,)."""
    mixed = weight * _logit(probability) + (1 - weight) * _logit(relevance)
    result: NDArray[np.float32] = (1 / (1 + np.exp(-mixed))).astype(np.float32)
    return result


def place_of(title: str, heading: str) -> str:
    return " > ".join(filter(None, (title, heading)))


def evidence(place: str, text: str) -> str:
    """The second half of what the network reads."""
    return f"{place}. {text}" if place else text


def read_manifest(directory: Path) -> Manifest:
    """Raises RerankerUnusable where there is no usable ``reranker.json``."""
    path = directory / MANIFEST
    try:
        manifest = Manifest.model_validate(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, ValidationError) as error:
        raise RerankerUnusable(
            f"{path} is no reranker ({error}); make one with: python -m finetune reranker"
        ) from None
    if manifest.format != FORMAT:
        raise RerankerUnusable(f"{path} was written by another version; train it again")
    return manifest


def _logit(probability: NDArray[np.float32]) -> NDArray[np.float64]:
    inside = np.clip(probability.astype(np.float64), BOUND, 1 - BOUND)
    logits: NDArray[np.float64] = np.log(inside / (1 - inside))
    return logits
