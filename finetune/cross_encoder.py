"""What trainers on an encoder share: LoRA, the cross-encoder, checkpoints."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from knowledge_base.encoder import EncoderFiles
from knowledge_base.lora import adapter_of, stored
from knowledge_base.torch_forward import pair_pooled

_BLOCK = re.compile(r"\.layer\.(\d+)\.")


class Adapted(nn.Module):
    """A frozen linear layer beside a trained product of two small matrices (LoRA)."""

    def __init__(self, linear: nn.Linear, rank: int, scale: float) -> None:
        super().__init__()
        self.linear, self.scale = linear, scale
        self.down = nn.Parameter(torch.empty(rank, linear.in_features))
        self.up = nn.Parameter(torch.zeros(linear.out_features, rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, inputs: Tensor) -> Tensor:
        low = nn.functional.linear(inputs, self.down)
        plain: Tensor = self.linear(inputs)
        return plain + self.scale * nn.functional.linear(low, self.up)


def adapt(encoder: nn.Module, rank: int, alpha: int, first_block: int = 0) -> dict[str, Adapted]:
    """Freezes the encoder and adapts every linear layer of its blocks from ``first_block`` on."""
    encoder.requires_grad_(False)
    adapted = {}
    for name, layer in list(encoder.named_modules()):
        block = _BLOCK.search(name)
        if isinstance(layer, nn.Linear) and block and int(block[1]) >= first_block:
            parent, _, own = name.rpartition(".")
            adapted[name] = Adapted(layer, rank, alpha / rank)
            setattr(encoder.get_submodule(parent), own, adapted[name])
    return adapted


def go_on_from(adapted: Mapping[str, Adapted], tensors: Mapping[str, Tensor]) -> None:
    """Sets the adapter to the one that ``tensors`` hold (``knowledge_base.lora.stored``)."""
    adapter = adapter_of(tensors)
    with torch.no_grad():
        for name, layer in adapted.items():
            down, up = adapter[name]
            layer.down.copy_(down)
            layer.up.copy_(up)


class CrossEncoder(nn.Module):
    """The encoder, adapted, and one linear output on first token and mean."""

    def __init__(self, files: EncoderFiles, rank: int, alpha: int) -> None:
        super().__init__()
        self.encoder: Any = files.model()
        self.adapted = adapt(self.encoder, rank, alpha)
        self.out = nn.Linear(2 * int(self.encoder.config.hidden_size), 1)

    def forward(self, batch: Any) -> Tensor:
        """Logits, shape (pairs,)."""
        with torch.autocast("cpu", dtype=torch.bfloat16):
            states = self.encoder(**batch).last_hidden_state
        logits: Tensor = self.out(pair_pooled(states.float(), batch["attention_mask"])).squeeze(1)
        return logits

    def tensors(self) -> dict[str, Tensor]:
        """What serving merges: ``<layer>.down``, ``<layer>.up`` and ``out``, fp16."""
        adapter = {name: (layer.down, layer.up) for name, layer in self.adapted.items()}
        return stored(adapter, torch.cat([self.out.weight[0], self.out.bias]))


def save_checkpoint(path: Path, model: nn.Module, optimiser: Any, schedule: Any, done: int) -> None:
    """What is trained and where training stands, whole or not at all; ``done``: steps so far."""
    state = {
        "model": {n: p for n, p in model.named_parameters() if p.requires_grad},
        "optimiser": optimiser.state_dict(),
        "schedule": schedule.state_dict(),
        "random": torch.get_rng_state(),
        "done": done,
    }
    fresh = path.with_suffix(".new")
    torch.save(state, fresh)
    fresh.replace(path)


def resumed(path: Path, model: nn.Module, optimiser: Any, schedule: Any) -> int:
    """Steps that were done when ``path`` was written, 0 without one; all states are set back."""
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    model.load_state_dict(state["model"], strict=False)
    optimiser.load_state_dict(state["optimiser"])
    schedule.load_state_dict(state["schedule"])
    torch.set_rng_state(state["random"])
    return int(state["done"])
