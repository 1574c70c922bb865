"""Vectors in which attacks and danger lie apart from what only sounds like them.

The shared encoder's vector says what a text is about, that of its copy with the screen's adapter
how near it is to an attack or to danger. Both stand side by side; one pass each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from chatbot.errors import SetupError
from chatbot.safety.classifiers import REMEDY, WEIGHTS, Vectors
from knowledge_base.compiled import Recipe
from knowledge_base.encoder import MAX_TOKENS, EncoderFiles, TransformerEncoder
from knowledge_base.lora import AdapterUnusable, adapter_of, merge, read_tensors

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import nn

    from knowledge_base.batching import Batched

ADAPTER: Final = "adapter.safetensors"
SCALE: Final = 2.0  # alpha / rank: alpha is twice the rank


class AdaptedEncoder(TransformerEncoder):
    """The encoder with an adapter merged into its weights, so that it costs nothing.

    Raises SetupError where the adapter is missing or fits another encoder.
    """

    def __init__(self, files: EncoderFiles, adapter: Path) -> None:
        super().__init__(files)
        self._adapter = adapter
        try:
            self.adapter_digest = hashlib.sha256(adapter.read_bytes()).hexdigest()[:12]
        except OSError as error:
            raise SetupError(
                f"the screen's adapter {adapter} cannot be read "
                f"({error.strerror or error}); {REMEDY}"
            ) from None

    @property
    def name(self) -> str:
        return f"{super().name}+{self.adapter_digest}"

    @cached_property
    def _parts(self) -> tuple[Tokenizer, Batched]:
        tokenizer = self.files.fast_tokenizer(MAX_TOKENS)
        inputs = {"encoder": self.files.digest, "adapter": self.adapter_digest, "scale": str(SCALE)}
        return tokenizer, self.files.load(Recipe("screen", inputs, self._build), tokenizer)

    def _build(self) -> nn.Module:
        from knowledge_base.torch_forward import MeanPooled

        model = self.files.model()
        try:
            merge(model, adapter_of(read_tensors(self._adapter)), SCALE)
        except AdapterUnusable as error:
            raise SetupError(f"{error}; {REMEDY}") from None
        return MeanPooled(model)


class ScreenEncoder:
    """A ``TextEncoder`` of twice the shared one's dimension: its vector, then the adapted one's.

    The vectors have length sqrt(2), since each half is a unit vector. Loads its network.
    """

    def __init__(self, shared: TransformerEncoder, folder: Path = WEIGHTS) -> None:
        self._shared = shared
        self._adapted = AdaptedEncoder(shared.files, folder / ADAPTER)
        self._adapted.embed([""])  # loaded now: a damaged file stops the start, no customer waits

    @property
    def name(self) -> str:
        return self._adapted.name

    @property
    def dimension(self) -> int:
        return 2 * self._shared.dimension

    def embed(self, texts: Sequence[str]) -> Vectors:
        return np.concatenate([self._shared.embed(texts), self._adapted.embed(texts)], axis=1)
