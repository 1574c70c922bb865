"""Networks on an encoder as PyTorch modules: what is compiled, the reference, the fallback.

Each takes ids, mask and types, all of shape (rows, tokens), and gives what ``Forward`` gives.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from knowledge_base.batching import Floats, Ids


class TorchForward:
    """Runs a module as it is, in fp32."""

    def __init__(self, module: nn.Module) -> None:
        self._module = module.eval()

    def run(self, ids: Ids, mask: Ids, types: Ids) -> list[Floats]:
        with torch.inference_mode():
            outputs = self._module(*(torch.from_numpy(array) for array in (ids, mask, types)))
        several = outputs if isinstance(outputs, tuple) else (outputs,)
        return [output.float().numpy() for output in several]


class MeanPooled(nn.Module):
    """The mean of the token states as a unit vector, shape (rows, hidden)."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, ids: Tensor, mask: Tensor, types: Tensor) -> Tensor:
        states = states_of(self.encoder, ids, mask, types)
        return nn.functional.normalize(mean_of(states, mask), dim=1)


class PairNetwork(nn.Module):
    """One logit of a pair, from the first token's state and the mean. Shape (rows, 1).

    ``out`` has shape (2 * hidden + 1,): weights, then the bias.
    """

    def __init__(self, encoder: Any, out: Tensor) -> None:
        super().__init__()
        self.encoder = encoder
        self.out = nn.Linear(len(out) - 1, 1)
        with torch.no_grad():
            self.out.weight.copy_(out[None, :-1])
            self.out.bias.copy_(out[-1:])

    def forward(self, ids: Tensor, mask: Tensor, types: Tensor) -> Tensor:
        logits: Tensor = self.out(pair_pooled(states_of(self.encoder, ids, mask, types), mask))
        return logits


class TokenStates(nn.Module):
    """For late interaction: each token's state as a unit vector, shape (rows, tokens, hidden); its
    weight before the softmax, shape (rows, tokens, 1); the mean as a unit vector, (rows, hidden).

    ``weigh`` has shape (hidden,).
    """

    def __init__(self, encoder: Any, weigh: Tensor) -> None:
        super().__init__()
        self.encoder = encoder
        self.weigh = nn.Linear(len(weigh), 1, bias=False)
        with torch.no_grad():
            self.weigh.weight.copy_(weigh[None])

    def forward(self, ids: Tensor, mask: Tensor, types: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        states = states_of(self.encoder, ids, mask, types)
        tokens = nn.functional.normalize(states, dim=2)
        whole = nn.functional.normalize(mean_of(states, mask), dim=1)
        return tokens, self.weigh(tokens), whole


def named(config: Any, ids: Tensor, mask: Tensor, types: Tensor) -> dict[str, Tensor]:
    """What a transformers model takes. Types go only to one that was trained with two."""
    inputs = {"input_ids": ids, "attention_mask": mask}
    two = getattr(config, "type_vocab_size", 0) > 1
    return inputs | {"token_type_ids": types} if two else inputs


def states_of(encoder: Any, ids: Tensor, mask: Tensor, types: Tensor) -> Tensor:
    """Shape (rows, tokens, hidden)."""
    states: Tensor = encoder(**named(encoder.config, ids, mask, types)).last_hidden_state
    return states


def mean_of(states: Tensor, mask: Tensor) -> Tensor:
    """Shape (rows, hidden): the mean of the states that are no padding."""
    weights = mask.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(1) / weights.sum(1).clamp(min=1e-9)


def pair_pooled(states: Tensor, mask: Tensor) -> Tensor:
    """Shape (rows, 2 * hidden): the first token's state beside the mean of all."""
    return torch.cat([states[:, 0], mean_of(states, mask)], dim=1)


def example(*lengths: int) -> tuple[Ids, Ids, Ids]:
    """Rows of these lengths: ids below 1000, as every encoder's vocabulary has them."""
    width = max(lengths)
    random = torch.Generator().manual_seed(width)
    ids = torch.randint(5, 1000, (len(lengths), width), generator=random)
    mask = (torch.arange(width) < torch.tensor(lengths)[:, None]).long()
    return (ids * mask).numpy(), mask.numpy(), torch.zeros_like(ids).numpy()
