"""One encoder, two heads: intents on the mean-pooled vector, BIO tags on the token states.

Serving and training share this module, so a trained head meets the same forward pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def merge_adapter(encoder: PreTrainedModel, adapter: Mapping[str, Tensor], factor: float) -> None:
    """Adds a LoRA adapter to the encoder's weights in place: W + factor * B A (E. Hu et al.,
    2021). Merged once, it costs nothing at inference, and serving need not import peft.

    ``adapter`` has peft's names. Raises KeyError for a layer that the encoder does not have.
    """
    layers = dict(encoder.named_modules())
    with torch.no_grad():
        for name, down in adapter.items():
            if name.endswith(".lora_A.weight"):
                path = name.removesuffix(".lora_A.weight")
                up = adapter[f"{path}.lora_B.weight"]
                layer = layers[path.removeprefix("base_model.model.")]
                layer.weight.add_(factor * (up @ down))


class RouterNetwork(nn.Module):
    """``encoder`` is a transformer, with or without an adapter; heads are linear.

    The intent head is a scaled cosine against one learned direction per intent: its logits
    are bounded, which keeps the distance of a text to every intent readable after training.
    """

    def __init__(self, encoder: Any, hidden: int, intents: int, tags: int, scale: float) -> None:
        super().__init__()
        self.encoder = encoder
        self.intent = nn.Linear(hidden, intents, bias=True)
        self.tags = nn.Linear(hidden, tags) if tags > 1 else None
        self.scale = scale
        nn.init.zeros_(self.intent.bias)

    def states(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Token states, shape (windows, tokens, hidden)."""
        states: Tensor = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        return states

    @staticmethod
    def token_sums(states: Tensor, mask: Tensor) -> Tensor:
        """Shape (windows, hidden). Added up over a text's windows and normalised, they are
        its mean-pooled unit vector."""
        return (states * mask.unsqueeze(-1).to(states.dtype)).sum(1)

    def intent_logits(self, vectors: Tensor) -> Tensor:
        """Shape (texts, intents), before temperature."""
        directions = functional.normalize(self.intent.weight, dim=1)
        return self.scale * (vectors @ directions.T + self.intent.bias)

    def tag_logits(self, states: Tensor) -> Tensor | None:
        """Shape (windows, tokens, tags); None for a model without entities."""
        return None if self.tags is None else self.tags(states)
