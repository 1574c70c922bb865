"""One encoder, two heads: intents on the mean-pooled vector, BIO tags on the token states.

Serving and training share this module, so a trained head meets the same forward pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True)
class AdapterShape:
    """A LoRA adapter on every linear layer of the encoder (E. Hu et al., 2021)."""

    rank: int
    alpha: int


def add_adapter(encoder: PreTrainedModel, shape: AdapterShape) -> Any:
    """The encoder with trainable LoRA layers, as peft makes them (A random, B zero)."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=shape.rank, lora_alpha=shape.alpha, target_modules="all-linear")
    return get_peft_model(encoder, config)


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
