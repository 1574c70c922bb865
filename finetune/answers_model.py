"""The network that is trained: the base with an adapter of the recipe's method, or the base."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from chatbot.answering.served import CONFIG, check_adapter
from chatbot.errors import SetupError
from finetune.answers_recipe import AnswersRecipe


def trainable_model(recipe: AnswersRecipe, base: Path, start: Path | None, steps: int) -> Any:
    """In float32 (qlora: 4-bit base), what is trained requiring gradients. ``steps`` is how long
    training will last, which AdaLoRA plans by.

    Raises SetupError where the machine or ``start`` does not fit the recipe.
    """
    import torch
    from peft import PeftModel, get_peft_model
    from transformers import AutoModelForCausalLM

    if start is not None:
        _check_start(recipe, base, start)
    quantised = {"quantization_config": _four_bits()} if recipe.method == "qlora" else {}
    model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, **quantised)
    if recipe.method == "full":
        return model
    if quantised:
        import peft

        ready: Any = peft.prepare_model_for_kbit_training
        model = ready(model, use_gradient_checkpointing=recipe.gradient_checkpointing)
    if start is not None:
        return PeftModel.from_pretrained(model, str(start), is_trainable=True)
    adapted = get_peft_model(model, adapter_config(recipe, steps))
    if recipe.gradient_checkpointing:
        adapted.enable_input_require_grads()  # else nothing before the first adapter has a gradient
    return adapted


def adapter_config(recipe: AnswersRecipe, steps: int) -> Any:
    """peft's configuration. LoRA: https://arxiv.org/abs/2106.09685; rank-stabilised:
    https://arxiv.org/abs/2312.03732; DoRA: https://arxiv.org/abs/2402.09353; AdaLoRA:
    https://arxiv.org/abs/2303.10512; prefix tuning: https://arxiv.org/abs/2101.00190."""
    from peft import AdaLoraConfig, LoraConfig, PrefixTuningConfig

    if recipe.method == "prefix":
        return PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=recipe.rank)
    common: dict[str, Any] = {
        "lora_alpha": recipe.alpha,
        "lora_dropout": recipe.dropout,
        "target_modules": "all-linear",
        "task_type": "CAUSAL_LM",
    }
    if recipe.method == "adalora":
        # Starts half as wide again, and gives ranks up in the second half of the training.
        return AdaLoraConfig(
            init_r=max(recipe.rank + 1, recipe.rank * 3 // 2),
            target_r=recipe.rank,
            tinit=max(1, steps // 10),
            tfinal=max(1, steps // 2),
            deltaT=max(1, steps // 50),
            total_step=max(3, steps),
            **common,
        )
    return LoraConfig(
        r=recipe.rank,
        use_rslora=recipe.method == "rslora",
        use_dora=recipe.method == "dora",
        **common,
    )


def _check_start(recipe: AnswersRecipe, base: Path, start: Path) -> None:
    if recipe.method in ("prefix", "full", "adalora"):
        raise SetupError(
            f"--start goes on with a LoRA adapter; method = {recipe.method!r} begins anew: leave "
            "--start out, or set method = 'lora'"
        )
    found = check_adapter(start, base).rank
    if found != recipe.rank:
        raise SetupError(f"{start} has rank {found}; set rank = {found} in the recipe")
    config = json.loads((start / CONFIG).read_text(encoding="utf-8"))
    kind = "dora" if config.get("use_dora") else "rslora" if config.get("use_rslora") else "lora"
    if kind != ("lora" if recipe.method == "qlora" else recipe.method):
        raise SetupError(
            f"{start} was trained with method = {kind!r} and goes on as such; the recipe says "
            f"{recipe.method!r}: set method = {kind!r}, or leave --start out"
        )


def _four_bits() -> Any:
    """QLoRA, https://arxiv.org/abs/2305.14314."""
    import torch

    if not torch.cuda.is_available():
        raise SetupError("method = 'qlora' needs a GPU; on a CPU use method = 'lora'")
    if find_spec("bitsandbytes") is None:
        raise SetupError("method = 'qlora' needs a package: pip install bitsandbytes")
    import transformers

    configuration: Any = transformers.BitsAndBytesConfig
    return configuration(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
