"""One encoder, two heads: intents on the mean-pooled vector, BIO tags on the token states.

Serving and training share this module, so a trained head meets the same forward pass.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional


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

    def forward(self, ids: Tensor, mask: Tensor, types: Tensor) -> tuple[Tensor, ...]:
        """What serving reads of windows: ``token_sums``, and the tags' log-probabilities where
        the model has entities. ``types`` are not used: a window is one text."""
        states = self.states(ids, mask)
        sums, tags = self.token_sums(states, mask), self.tag_logits(states)
        return (sums,) if tags is None else (sums, tags.log_softmax(dim=-1))

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
