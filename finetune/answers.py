"""``python -m finetune answers``: a LoRA adapter that answers from numbered passages.

LoRA (https://arxiv.org/abs/2106.09685) on all linear layers through TRL's SFTTrainer, with
the loss on the answer only, on ids that ``chatbot.answering.prompt`` builds - so training
asks as serving asks. float32 weights under bfloat16 autocast: 1.0 sample/s of 384 tokens on
two cores, where plain float32 gives 0.6.
"""

from __future__ import annotations

import json
import math
import shutil
import time
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from chatbot.answering.base_model import base_digest
from chatbot.answering.served import CONFIG, MANIFEST, WEIGHTS, check_adapter
from chatbot.errors import SetupError
from finetune.answers_batches import BranchCollator, encode_groups
from finetune.answers_card import card_text
from finetune.answers_rows import AnswerRow, data_digest

CHECKPOINTS = "checkpoints"


@dataclass(frozen=True)
class AnswersRecipe:
    """What ``recipe.toml`` may say under ``[answers]``; batch = ``batch_size`` × ``accumulate``."""

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    learning_rate: float = 8e-4
    schedule: str = "cosine"
    warmup_share: float = 0.05
    weight_decay: float = 0.0
    epochs: float = 1.0
    batch_size: int = 3
    accumulate: int = 1
    max_tokens: int = 900
    save_every_steps: int = 10
    log_every_steps: int = 5
    gradient_checkpointing: bool = False
    seed: int = 1


def load_recipe(path: Path | None) -> AnswersRecipe:
    """Raises SetupError naming an unknown key or a value of another type."""
    if path is None:
        return AnswersRecipe()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8")).get("answers", {})
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SetupError(f"{path} cannot be read as a recipe: {error}") from None
    known = {field.name: type(field.default) for field in fields(AnswersRecipe)}
    for name, value in content.items():
        if name not in known:
            raise SetupError(f"{path}: unknown key {name!r}; known: {', '.join(sorted(known))}")
        if known[name] is float and isinstance(value, int) and not isinstance(value, bool):
            content[name] = float(value)
        elif type(value) is not known[name]:
            raise SetupError(f"{path}: {name} must be a {known[name].__name__}, got {value!r}")
    return AnswersRecipe(**content)


def train_answers(
    recipe: AnswersRecipe,
    rows: Sequence[AnswerRow],
    out: Path,
    *,
    base: Path,
    dev: Sequence[AnswerRow] = (),
    start: Path | None = None,
    resume: bool = False,
    seed: int | None = None,
) -> dict[str, Any]:
    """Trains on ``rows`` and writes the adapter (fp16), manifest.json, metrics.json, card.md.

    ``base`` is the folder of ``prepare_base_model``. Checkpoints lie in ``out/checkpoints``
    until the end; with ``resume`` the last one is continued. ``start`` is an adapter of the
    same base and rank to go on from, instead of a new one. Returns the metrics. Raises
    SetupError for rows that do not fit, a loss that is not a number, or too little memory.
    """
    import torch
    from datasets import Dataset
    from peft import LoraConfig, PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl.trainer.sft_config import SFTConfig

    from finetune.answers_trainer import AnswersTrainer

    if seed is not None:
        recipe = replace(recipe, seed=seed)
    tokenizer = AutoTokenizer.from_pretrained(base)
    encoded, too_long = _encoded(tokenizer, rows, recipe.max_tokens)
    dev_encoded = _encoded(tokenizer, dev, recipe.max_tokens)[0] if dev else []
    torch.manual_seed(recipe.seed)
    model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    lora: LoraConfig | None = None
    if start is None:
        lora = LoraConfig(
            r=recipe.rank,
            lora_alpha=recipe.alpha,
            lora_dropout=recipe.dropout,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        )
    else:
        if (found := check_adapter(start, base).rank) != recipe.rank:
            raise SetupError(f"{start} has rank {found}; set rank = {found} in the recipe")
        model = PeftModel.from_pretrained(model, str(start), is_trainable=True)
    steps = math.ceil(len(encoded) / (recipe.batch_size * recipe.accumulate) * recipe.epochs)
    cuda = torch.cuda.is_available()
    arguments = SFTConfig(
        output_dir=str(out / CHECKPOINTS),
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=recipe.batch_size,
        per_device_eval_batch_size=recipe.batch_size,
        gradient_accumulation_steps=recipe.accumulate,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.schedule,
        warmup_steps=round(steps * recipe.warmup_share),
        weight_decay=recipe.weight_decay,
        train_sampling_strategy="group_by_length",
        activation_checkpointing=recipe.gradient_checkpointing,
        bf16=True,
        use_cpu=not cuda,
        max_length=None,
        packing=False,
        remove_unused_columns=False,
        dataset_kwargs={"skip_prepare_dataset": True},  # ids are ours, see answers_batches
        eval_strategy="epoch" if dev_encoded else "no",
        save_steps=recipe.save_every_steps,
        save_total_limit=2,
        logging_steps=recipe.log_every_steps,
        dataloader_pin_memory=cuda,
        report_to="none",
        seed=recipe.seed,
        data_seed=recipe.seed,
    )
    trainer = AnswersTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_list(encoded),
        eval_dataset=Dataset.from_list(dev_encoded) if dev_encoded else None,
        processing_class=tokenizer,
        data_collator=BranchCollator(tokenizer.pad_token_id),
        peft_config=lora,
    )
    started = time.monotonic()
    try:
        trainer.train(resume_from_checkpoint=_last_checkpoint(out) if resume else None)
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise SetupError(
            f"not enough memory for batches of {recipe.batch_size}: set batch_size = "
            f"{max(1, recipe.batch_size // 2)} and accumulate = {recipe.accumulate * 2} "
            "(same result), then --resume"
        ) from error
    losses = [(e["step"], e["loss"]) for e in trainer.state.log_history if "loss" in e]
    if not losses or not math.isfinite(losses[-1][1]):
        raise SetupError(
            f"the loss is not a number after step {losses[-1][0] if losses else 0}; halve "
            f"learning_rate (now {recipe.learning_rate:g}) and train again; nothing was saved"
        )
    dev_losses = [e["eval_loss"] for e in trainer.state.log_history if "eval_loss" in e]
    metrics: dict[str, Any] = {
        "rows": len(rows) - too_long,
        "rows_too_long": too_long,
        "sequences": len(encoded),
        "steps": trainer.state.global_step,
        "minutes": round((time.monotonic() - started) / 60, 1),
        "tokens_per_sequence": round(sum(len(e["input_ids"]) for e in encoded) / len(encoded)),
        "loss_first": round(losses[0][1], 4),
        "loss_last": round(losses[-1][1], 4),
        "dev_loss": round(dev_losses[-1], 4) if dev_losses else None,
        "losses": losses,
    }
    about = {
        "base_digest": base_digest(base),
        "data_sha256": data_digest(rows),
        "recipe": asdict(recipe),
        "rank": recipe.rank,
        "started_from": None if start is None else check_adapter(start, base).digest,
    }
    save_adapter(trainer.model, out, about, metrics)
    shutil.rmtree(out / CHECKPOINTS, ignore_errors=True)
    return metrics


def save_adapter(model: Any, out: Path, about: dict[str, Any], metrics: dict[str, Any]) -> None:
    """The adapter in half precision, in peft's own form, without any path of this machine."""
    import torch
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    out.mkdir(parents=True, exist_ok=True)
    state = get_peft_model_state_dict(model, save_embedding_layers=False)
    half = {name: tensor.detach().cpu().to(torch.float16) for name, tensor in state.items()}
    broken = [name for name, tensor in half.items() if not bool(torch.isfinite(tensor).all())]
    if broken:
        raise SetupError(f"{broken[0]} is not finite in half precision; nothing was saved")
    config = model.peft_config["default"].to_dict()
    config["base_model_name_or_path"] = None
    config["inference_mode"] = True
    config["target_modules"] = sorted(config["target_modules"])
    (out / CONFIG).write_text(json.dumps(config, indent=1, default=_plain) + "\n")
    (out / MANIFEST).write_text(json.dumps(about, indent=1) + "\n")
    (out / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
    (out / "card.md").write_text(card_text(about, metrics), encoding="utf-8")
    save_file(half, out / WEIGHTS, metadata={"format": "pt"})


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, set) else str(getattr(value, "value", value))


def _encoded(
    tokenizer: Any, rows: Sequence[AnswerRow], limit: int
) -> tuple[list[dict[str, list[int]]], int]:
    encoded, too_long = encode_groups(tokenizer, rows, limit)
    if not encoded:
        raise SetupError(
            f"none of {len(rows)} rows fits into max_tokens = {limit}; raise it or shorten passages"
        )
    return encoded, too_long


def _last_checkpoint(out: Path) -> str | None:
    from transformers.trainer_utils import get_last_checkpoint

    folder = out / CHECKPOINTS
    if not folder.exists():
        return None
    last: str | None = get_last_checkpoint(str(folder))  # type: ignore[no-untyped-call]
    return last
