"""The trained half of the grounding check: a cross-encoder on the shared encoder.

It reads "claim [SEP] evidence" through the encoder with its own LoRA adapter merged in, and a
logistic regression joins its logit with the features of ``grounding_compare``. On disk:
``grounding.json`` and ``head.safetensors`` (adapter, fp16). ``finetune grounding`` writes them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chatbot.errors import SetupError
from chatbot.safety.grounding_compare import FEATURES
from knowledge_base.encoder import EncoderFiles
from knowledge_base.lora import AdapterUnusable
from knowledge_base.pairs import PairScorer

FORMAT = 1
MANIFEST = "grounding.json"
TENSORS = "head.safetensors"
MAX_TOKENS = 160  # a claim, the title path and three sentences
LOGIT_BOUND = 8.0  # the network's logit is cut here, so that no one number decides alone


class Manifest(BaseModel):
    """What ``grounding.json`` holds; ``weights`` are one for the logit, then FEATURES."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int
    encoder: str
    encoder_digest: str
    lora_rank: int
    lora_alpha: int
    features: tuple[str, ...]
    centres: tuple[float, ...]
    spreads: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float
    threshold: float = Field(gt=0, lt=1)
    """Scores below it are unsupported; chosen on dev rows."""


class GroundingHead:
    """Scores claims against evidence. Safe for several threads, which share passes."""

    def __init__(self, manifest: Manifest, pairs: PairScorer) -> None:
        self.manifest = manifest
        self._pairs = pairs

    @classmethod
    def load(cls, directory: Path, files: EncoderFiles) -> GroundingHead:
        """Raises SetupError for missing or damaged files, or another encoder's head."""
        manifest = read_manifest(directory)
        if manifest.encoder_digest != files.digest:
            raise SetupError(
                f"{directory} was trained on the encoder {manifest.encoder_digest}, the setting "
                f"gives {files.digest}; train again with: python -m finetune grounding"
            )
        scale = manifest.lora_alpha / manifest.lora_rank
        try:
            pairs = PairScorer.load("grounding", directory / TENSORS, scale, MAX_TOKENS, files)
        except AdapterUnusable as error:
            raise SetupError(str(error)) from None
        return cls(manifest, pairs)

    @property
    def threshold(self) -> float:
        return self.manifest.threshold

    def logits(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
        """Shape (len(pairs),): how far the evidence (second) supports the claim (first)."""
        return np.clip(self._pairs.logits(pairs), -LOGIT_BOUND, LOGIT_BOUND)

    def probability(self, logit: float, features: Sequence[float]) -> float:
        """Probability that the claim is supported, from the logit and ``compare``'s features."""
        manifest = self.manifest
        scaled = (
            (value - centre) / spread
            for value, centre, spread in zip(
                (logit, *features), manifest.centres, manifest.spreads, strict=True
            )
        )
        total = manifest.bias + sum(
            weight * value for weight, value in zip(manifest.weights, scaled, strict=True)
        )
        return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, total))))


def read_manifest(directory: Path) -> Manifest:
    """Raises SetupError where there is no usable ``grounding.json``."""
    path = directory / MANIFEST
    try:
        manifest = Manifest.model_validate(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, ValidationError) as error:
        raise SetupError(
            f"{path} is no grounding head ({error}); make one with: python -m finetune grounding"
        ) from None
    if manifest.format != FORMAT or manifest.features != FEATURES:
        raise SetupError(f"{path} was written by another version; train the head again")
    return manifest


@lru_cache(maxsize=2)
def shared_head(directory: Path, files: EncoderFiles) -> GroundingHead:
    """One copy of a head in memory, however many checkers are made."""
    return GroundingHead.load(directory, files)
