"""A LoRA adapter added into its base, one weight matrix at a time, without torch.

    W' = W + scale * B @ A        scale = alpha / r, or alpha / sqrt(r) for rsLoRA

(Hu et al. 2021, https://arxiv.org/abs/2106.09685.) The sum is done in float32, as peft's
``merge_and_unload`` does it. Adapters of other kinds (DoRA, whole modules saved beside it) are
refused here by name; the transformers engine merges them with peft itself.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from chatbot.answering.served import CONFIG, WEIGHTS
from chatbot.errors import SetupError

Matrix = NDArray[np.float32]

_PREFIX = "base_model.model."
_KNOWN = re.compile(rf"^{re.escape(_PREFIX)}(?P<module>.+)\.lora_[AB]\.weight$")


class NotMergeable(SetupError):
    """This adapter or base can be served by the transformers engine only."""


def merged_weights(base: Path, adapter: Path | None) -> Iterator[tuple[str, Matrix]]:
    """Each weight of ``base`` by its transformers name, as float32 with the adapter added.

    ``base`` holds safetensors files, ``adapter`` the two files of a LoRA adapter. Raises
    NotMergeable naming what does not fit, or a weight that is not finite.
    """
    with ExitStack() as files:
        weights = _opened(files, sorted(base.glob("*.safetensors")), base)
        lora = _Lora(files, adapter) if adapter is not None else None
        for name in sorted(weights):
            value = weights[name].read()
            if lora is not None:
                value = lora.added(name, value)
            if not np.isfinite(value).all():
                raise SetupError(f"{name} of {adapter or base} holds NaN or infinity")
            yield name, value
        if lora is not None and lora.left:
            raise NotMergeable(f"{adapter} changes {lora.left[0]}, which {base.name} does not have")


def weight_shapes(base: Path) -> dict[str, tuple[int, ...]]:
    """The shape of each weight of ``base`` by its transformers name."""
    with ExitStack() as files:
        weights = _opened(files, sorted(base.glob("*.safetensors")), base)
        return {
            name: tuple(tensor.file.get_slice(name).get_shape()) for name, tensor in weights.items()
        }


class _Lora:
    def __init__(self, files: ExitStack, adapter: Path) -> None:
        self._config: dict[str, Any] = json.loads((adapter / CONFIG).read_text())
        self._weights = _opened(files, [adapter / WEIGHTS], adapter)
        kind = self._config.get("peft_type", "LORA")
        special = [name for name in self._weights if not _KNOWN.match(name)]
        if kind != "LORA" or special or self._config.get("fan_in_fan_out"):
            what = special[0] if special else f"peft_type {kind}"
            raise NotMergeable(f"{adapter} is not a plain LoRA adapter ({what})")
        self._modules = {m["module"] for name in self._weights if (m := _KNOWN.match(name))}

    @property
    def left(self) -> list[str]:
        """Modules not met yet."""
        return sorted(self._modules)

    def added(self, name: str, value: Matrix) -> Matrix:
        module = name.removesuffix(".weight")
        if module not in self._modules:
            return value
        self._modules.remove(module)
        down, up = (
            self._weights[key].read()
            for key in (f"{_PREFIX}{module}.lora_{side}.weight" for side in "AB")
        )
        return value + self._scale(module, len(down)) * (up @ down)

    def _scale(self, module: str, rank: int) -> np.float32:
        alpha = float(self._config.get("lora_alpha") or rank)
        for pattern, value in (self._config.get("alpha_pattern") or {}).items():
            if re.match(rf"(?:.*\.)?(?:{pattern})$", module):  # as peft matches its patterns
                alpha = float(value)
        root = math.sqrt(rank) if self._config.get("use_rslora") else rank
        return np.float32(alpha / root)


@dataclass(frozen=True)
class _Tensor:
    """One tensor of a safetensors file, read when it is asked for."""

    file: Any
    path: Path
    name: str

    def read(self) -> Matrix:
        if self.file.get_slice(self.name).get_dtype() != "BF16":
            value: NDArray[Any] = self.file.get_tensor(self.name)
            return value.astype(np.float32)
        with safe_open(self.path, "pt") as file:  # numpy has no bfloat16
            found: Matrix = file.get_tensor(self.name).float().numpy()
        return found


def _opened(files: ExitStack, paths: list[Path], folder: Path) -> dict[str, _Tensor]:
    tensors: dict[str, _Tensor] = {}
    try:
        for path in paths:
            file = files.enter_context(safe_open(path, "np"))
            tensors |= {name: _Tensor(file, path, name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise SetupError(f"the weights in {folder} are truncated or damaged: {error}") from error
    if not tensors:
        raise NotMergeable(f"{folder} holds no safetensors")
    return tensors
