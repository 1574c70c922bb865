"""The tagger's network, in PyTorch: what is trained, and what is compiled for serving."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from chatbot.safety.pii_shapes import SHAPES


class TaggerNetwork(nn.Module):
    """An encoder that is given each word's shape beside its letters, and BIO tags of its states.

    Shapes start as zeros, so that the encoder is at first what it was.
    """

    def __init__(self, encoder: Any, tags: int) -> None:
        super().__init__()
        hidden = int(encoder.config.hidden_size)
        self.encoder = encoder
        self.shapes = nn.Embedding(SHAPES, hidden)
        self.tags = nn.Linear(hidden, tags)
        nn.init.zeros_(self.shapes.weight)

    def forward(self, ids: Tensor, mask: Tensor, types: Tensor) -> Tensor:
        """Log-probabilities, shape (windows, tokens, tags). ``types`` are the tokens' shapes."""
        words = self.encoder.get_input_embeddings()(ids) + self.shapes(types)
        states = self.encoder(inputs_embeds=words, attention_mask=mask).last_hidden_state
        found: Tensor = self.tags(states.float()).log_softmax(dim=-1)
        return found
