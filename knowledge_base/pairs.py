"""Cross-encoders: one logit for each pair of texts that are read together.

The shared encoder with its own LoRA adapter merged in, and a linear output on the first token's
state and the mean of all. The reranker, and the grounding head, are such networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from knowledge_base.batching import Batched, Row
from knowledge_base.compiled import Recipe
from knowledge_base.encoder import EncoderFiles
from knowledge_base.files import sha256
from knowledge_base.lora import AdapterUnusable, adapter_of, merge, read_tensors

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import nn


class PairScorer:
    """Safe for several threads, whose pairs share passes."""

    def __init__(self, tokenizer: Tokenizer, network: Batched) -> None:
        self._tokenizer, self._network = tokenizer, network

    @classmethod
    def load(
        cls, name: str, tensors: Path, scale: float, max_tokens: int, files: EncoderFiles
    ) -> PairScorer:
        """``tensors`` holds the adapter and ``out`` (``lora.stored``); ``scale`` is LoRA's.

        Of a pair longer than ``max_tokens`` the longer text is cut first. ``name`` is shown in
        /readyz. Raises AdapterUnusable for missing or damaged tensors.
        """

        def build() -> nn.Module:
            from knowledge_base.torch_forward import PairNetwork

            found = read_tensors(tensors)
            if "out" not in found:
                raise AdapterUnusable(f"{tensors} cannot be read: it holds no output vector")
            model = files.model()
            merge(model, adapter_of(found), scale)
            return PairNetwork(model, found["out"].float())

        if not tensors.is_file():
            raise AdapterUnusable(f"{tensors} cannot be read: there is no such file")
        inputs = {"encoder": files.digest, "adapter": sha256(tensors), "scale": repr(scale)}
        tokenizer = files.fast_tokenizer(max_tokens)
        return cls(tokenizer, files.load(Recipe(name, inputs, build), tokenizer))

    def logits(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
        """Shape (len(pairs),): what the network says of each (first, second)."""
        encodings = self._tokenizer.encode_batch(list(pairs))
        answers = self._network.run([Row(e.ids, e.type_ids) for e in encodings])
        return np.array([answer[0][0] for answer in answers], dtype=np.float64)

    def logits_for(self, first: str, seconds: Sequence[str]) -> NDArray[np.float64]:
        """Shape (len(seconds),): of one first text, such as a question, with each second."""
        return self.logits([(first, second) for second in seconds])
