"""The trained half of the grounding check: a cross-encoder on the shared encoder.

It reads "claim [SEP] evidence" through the encoder with its own LoRA adapter merged in, and a
logistic regression joins its logit with the features of ``grounding_compare``. On disk:
``grounding.json`` and ``head.safetensors`` (adapter, fp16). ``finetune grounding`` writes them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chatbot.errors import SetupError
from chatbot.safety.grounding_compare import FEATURES
from knowledge_base.encoder import EncoderFiles

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1
MANIFEST = "grounding.json"
TENSORS = "head.safetensors"
MAX_TOKENS = 160  # a claim, the title path and three sentences
LOGIT_BOUND = 8.0  # the network's logit is cut here, so that no one number decides alone
_BATCH_MASK = "attention_mask"


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
    """Scores claims against evidence. Thread-safe: one forward pass at a time."""

    def __init__(self, manifest: Manifest, model: Any, tokenizer: Any, out: Tensor) -> None:
        self.manifest = manifest
        self._model, self._tokenizer, self._out = model, tokenizer, out
        self._lock = Lock()

    @classmethod
    def load(cls, directory: Path, files: EncoderFiles) -> GroundingHead:
        """Raises SetupError for missing or damaged files, or another encoder's head."""
        from safetensors.torch import load_file

        manifest = read_manifest(directory)
        if manifest.encoder_digest != files.digest:
            raise SetupError(
                f"{directory} was trained on the encoder {manifest.encoder_digest}, the setting "
                f"gives {files.digest}; train again with: python -m finetune grounding"
            )
        try:
            tensors = load_file(directory / TENSORS)
        except (OSError, ValueError) as error:
            raise SetupError(f"{directory / TENSORS} cannot be read: {error}") from None
        model = files.model()
        merge(model, tensors, manifest.lora_alpha / manifest.lora_rank)
        return cls(manifest, model, files.tokenizer(), tensors["out"].float())

    @property
    def threshold(self) -> float:
        return self.manifest.threshold

    def logits(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
        """Shape (len(pairs),): how far the evidence (second) supports the claim (first)."""
        import torch

        if not pairs:
            return np.zeros(0)
        with self._lock, torch.inference_mode():
            batch = self._tokenizer(
                [claim for claim, _ in pairs],
                [evidence for _, evidence in pairs],
                padding=True,
                truncation="longest_first",
                max_length=MAX_TOKENS,
                return_tensors="pt",
            )
            pooled = pool(self._model(**batch).last_hidden_state, batch[_BATCH_MASK])
            values = pooled @ self._out[:-1] + self._out[-1]
        result: NDArray[np.float64] = values.clamp(-LOGIT_BOUND, LOGIT_BOUND).double().numpy()
        return result

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


def pool(states: Tensor, mask: Tensor) -> Tensor:
    """Shape (pairs, 2 * hidden): the first token's state beside the mean of all."""
    import torch

    weights = mask.unsqueeze(-1).to(states.dtype)
    mean = (states * weights).sum(1) / weights.sum(1)
    return torch.cat([states[:, 0], mean], dim=1)


def merge(model: Any, tensors: Mapping[str, Tensor], scale: float) -> None:
    """Adds ``scale * up @ down`` of each adapted layer to its weight, in place.

    Source: LoRA, https://arxiv.org/abs/2106.09685, section 4.1. Raises SetupError where a
    layer of the adapter is not in the model.
    """
    import torch

    layers = dict(model.named_modules())
    for name in sorted({key.rsplit(".", 1)[0] for key in tensors if "." in key}):
        layer = layers.get(name)
        if layer is None:
            raise SetupError(f"the grounding head adapts {name!r}, which the encoder has not")
        with torch.no_grad():
            layer.weight += scale * (
                tensors[f"{name}.up"].float() @ tensors[f"{name}.down"].float()
            )


@lru_cache(maxsize=2)
def shared_head(directory: Path, files: EncoderFiles) -> GroundingHead:
    """One copy of a head in memory, however many checkers are made."""
    return GroundingHead.load(directory, files)
