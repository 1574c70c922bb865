"""The network of a Detoxify checkpoint, compiled, with the scores of ``Detoxify.predict``.

Detoxify's own class loads the checkpoint once, when it is converted; class names and tokenizer
are kept with the converted network, so that later starts need neither Detoxify nor torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from chatbot.safety.toxicity import WindowedScorer, load_detoxify, readable, scorer_name
from knowledge_base.batching import Batched, Row
from knowledge_base.compiled import Recipe, load
from knowledge_base.encoder import pad_id
from knowledge_base.recent import Recent

if TYPE_CHECKING:
    from torch import nn

CLASSES: Final = "classes.json"
TOKENIZER: Final = "tokenizer.json"
# The gate reads an answer anew with each sentence: all windows but the last are known.
REMEMBERED: Final = 2048


class CompiledScorer(WindowedScorer):
    """Safe for several threads, whose texts share passes.

    ``checkpoint`` is a file that ``prepare_toxicity`` has checked; ``compiled`` the folder for
    compiled networks, or None to run with PyTorch.
    """

    def __init__(self, checkpoint: Path, compiled: Path | None, *, views: bool = True) -> None:
        from tokenizers import Tokenizer

        super().__init__(scorer_name(checkpoint), views)
        network = load(_recipe(checkpoint), compiled)
        self._classes: list[str] = json.loads(network.extras[CLASSES])
        self._tokenizer = Tokenizer.from_str(network.extras[TOKENIZER])
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._network = Batched(network.forward, pad_id(self._tokenizer))
        self._recent = Recent(REMEMBERED, self._computed)

    def _offsets(self, text: str) -> Sequence[tuple[int, int]]:
        offsets: Sequence[tuple[int, int]] = self._tokenizer.encode(
            text, add_special_tokens=False
        ).offsets
        return offsets

    def _predict(self, pieces: Sequence[str]) -> list[dict[str, float]]:
        return self._recent.of(pieces)

    def _computed(self, pieces: Sequence[str]) -> list[dict[str, float]]:
        encodings = self._tokenizer.encode_batch(list(pieces))
        answers = self._network.run([Row(e.ids, e.type_ids) for e in encodings])
        return [
            {
                category: readable(float(value), category, self.name)
                for category, value in zip(self._classes, 1 / (1 + np.exp(-logits)), strict=True)
            }
            for (logits,) in answers
        ]


def _recipe(checkpoint: Path) -> Recipe:
    loaded = cache(lambda: load_detoxify(checkpoint))

    def build() -> nn.Module:
        return _logits_network(loaded().model)

    def extras() -> Mapping[str, str]:
        tokenizer = loaded().tokenizer.backend_tokenizer.to_str()
        return {CLASSES: json.dumps(loaded().class_names), TOKENIZER: tokenizer}

    # The folder is named by the digest of what is in it.
    return Recipe("toxicity", {"checkpoint": checkpoint.parent.name}, build, extras)


def _logits_network(model: Any) -> nn.Module:
    from torch import Tensor, nn

    from knowledge_base.torch_forward import named

    class Logits(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, ids: Tensor, mask: Tensor, types: Tensor) -> Tensor:
            inputs = named(self.model.config, ids, mask, types)
            logits: Tensor = self.model(**inputs).logits
            return logits

    return Logits()
