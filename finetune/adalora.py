"""An AdaLoRA adapter written as plain LoRA, which every engine and exporter can merge.

    W' = W + s * B @ diag(E) @ A    =    W + B @ (s * diag(E) @ A)

Ranks that AdaLoRA gave up have E = 0 and are left out; modules that kept fewer than the widest
are filled up with zeros. Source: https://arxiv.org/abs/2303.10512, eq. 3; peft's
``SVDLinear.get_delta_weight`` for the scale.
"""

from __future__ import annotations

from typing import Any


def as_lora(model: Any, adapter: str = "default") -> tuple[dict[str, Any], dict[str, Any]]:
    """(state as peft saves it, what changes in the configuration)."""
    import torch

    factors: dict[str, tuple[Any, Any]] = {}
    for name, module in model.named_modules():
        values = getattr(module, "lora_E", None)
        if values is None or adapter not in values:
            continue
        kept = values[adapter].detach().squeeze(1) != 0
        scale = module.scaling[adapter] / (module.ranknum[adapter].detach() + 1e-5)
        down = scale * values[adapter].detach()[kept] * module.lora_A[adapter].detach()[kept]
        factors[name] = (down, module.lora_B[adapter].detach()[:, kept])
    rank = max((len(down) for down, _ in factors.values()), default=0) or 1
    state = {}
    for name, (down, up) in factors.items():
        missing = rank - len(down)
        state[f"{name}.lora_A.weight"] = torch.nn.functional.pad(down, (0, 0, 0, missing))
        state[f"{name}.lora_B.weight"] = torch.nn.functional.pad(up, (0, missing))
    return state, {"peft_type": "LORA", "r": rank, "lora_alpha": rank, "rank_pattern": {}}
