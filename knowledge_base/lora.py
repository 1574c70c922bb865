"""LoRA adapters on disk: read, merged into an encoder's weights, and written by trainers.

An adapter is a table layer -> (down, up): the layer's weight becomes ``W + scale * up @ down``.
Merged once, it costs nothing at inference. Source: https://arxiv.org/abs/2106.09685, 4.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from knowledge_base.errors import KnowledgeError

if TYPE_CHECKING:
    from torch import Tensor

Adapter = Mapping[str, tuple["Tensor", "Tensor"]]
"""Layer's name in the encoder -> down of shape (rank, in) and up of shape (out, rank)."""


class AdapterUnusable(KnowledgeError):
    """The file is missing or damaged, or adapts a layer that the encoder does not have."""


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Raises AdapterUnusable for a file that is no safetensors file."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, ValueError, SafetensorError) as error:
        raise AdapterUnusable(f"{path} cannot be read: {error}") from None


def adapter_of(tensors: Mapping[str, Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
    """From ``<layer>.down`` and ``<layer>.up``; other names (``out``) are no part of it."""
    names = [key.removesuffix(".down") for key in tensors if key.endswith(".down")]
    return {name: (tensors[f"{name}.down"], tensors[f"{name}.up"]) for name in sorted(names)}


def peft_adapter_of(tensors: Mapping[str, Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
    """From peft's names, ``base_model.model.<layer>.lora_A.weight`` and ``lora_B``."""
    found = {}
    for key, down in tensors.items():
        path = key.removesuffix(".lora_A.weight")
        if path != key:
            name = path.removeprefix("base_model.model.")
            found[name] = (down, tensors[f"{path}.lora_B.weight"])
    return found


def merge(model: Any, adapter: Adapter, scale: float) -> None:
    """Changes the weights of ``model`` in place; ``scale`` is LoRA's alpha / rank.

    Raises AdapterUnusable for a layer that the model has not.
    """
    import torch

    layers = dict(model.named_modules())
    for name, (down, up) in adapter.items():
        if name not in layers:
            raise AdapterUnusable(f"the adapter changes {name!r}, which the encoder has not")
        with torch.no_grad():
            layers[name].weight += scale * (up.float() @ down.float())


def stored(adapter: Adapter, out: Tensor | None = None) -> dict[str, Tensor]:
    """What ``adapter_of`` reads, with a head's ``out``: fp16, ready for safetensors."""
    tensors = {} if out is None else {"out": out.detach().half()}
    for name, (down, up) in adapter.items():
        tensors[f"{name}.down"] = down.detach().half().contiguous()
        tensors[f"{name}.up"] = up.detach().half().contiguous()
    return tensors
