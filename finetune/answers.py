"""``python -m finetune answers``: an adapter that answers from numbered passages.

Any method of the recipe through TRL's SFTTrainer, with the loss on the answer only, on ids that
``chatbot.answering.prompt`` builds - so training asks as serving asks. float32 weights under
bfloat16 autocast: 1.0 sample/s of 384 tokens on two cores, where plain float32 gives 0.6.
"""

from __future__ import annotations

import logging
import math
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatbot.answering.base_model import base_digest
from chatbot.answering.served import check_adapter
from chatbot.errors import SetupError
from finetune.answers_batches import BranchCollator, RowCollator, encode_groups, encode_rows, pack
from finetune.answers_recipe import AnswersRecipe, load_recipe
from finetune.answers_rows import AnswerRow, data_digest
from finetune.answers_run import (
    CHECKPOINTS,
    LOGS,
    begin,
    check_folder,
    check_launcher,
    finish,
    reporters,
)
from finetune.answers_save import save_result
from finetune.training_report import training_report

if TYPE_CHECKING:
    from finetune.answers_trainer import AnswersTrainer

__all__ = ["AnswersRecipe", "load_recipe", "train_answers"]

Encoded = dict[str, list[int]]

logger = logging.getLogger(__name__)
NAMED, NAMED_CHARS = 10, 100  # rows that a warning shows, and how much of each


def train_answers(
    recipe: AnswersRecipe,
    rows: Sequence[AnswerRow],
    out: Path,
    *,
    base: Path,
    dev: Sequence[AnswerRow] = (),
    replay: Sequence[AnswerRow] = (),
    start: Path | None = None,
    resume: bool = False,
    seed: int | None = None,
    cpu: bool = False,
) -> dict[str, Any]:
    """Trains on ``rows`` and writes the adapter (fp16), manifest.json, metrics.json, card.md.

    ``base`` is the folder of ``prepare_base_model``. Checkpoints lie in ``out/checkpoints``
    until the end, curves for TensorBoard in ``out/logs``; with ``resume`` the last whole
    checkpoint is continued, with the same result as if nothing had happened. The weights with
    the lowest loss on ``dev`` are kept. ``start`` is a LoRA adapter of the same base and rank to
    go on from; ``replay`` are rows of earlier data, mixed in so that they are not forgotten.

    Returns the metrics. Raises SetupError for rows that do not fit, a loss that is not a number,
    a full disk or too little memory, Conflict for an unfinished run of another kind in ``out``.
    """
    from transformers import AutoTokenizer

    from finetune.answers_trainer import AnswersTrainer

    if seed is not None:
        recipe = replace(recipe, seed=seed)
    earlier = replayed(replay, len(rows), recipe)
    rows = [*rows, *earlier]
    tokenizer: Any = AutoTokenizer.from_pretrained(base)
    encoded, too_long = encoded_rows(tokenizer, rows, recipe)
    run = Run(
        recipe=recipe,
        base=base,
        out=out,
        tokenizer=tokenizer,
        encoded=encoded,
        dev_encoded=encoded_rows(tokenizer, dev, recipe)[0] if dev else [],
        collator=(BranchCollator if recipe.branched else RowCollator)(tokenizer.pad_token_id),
        data_sha256=data_digest(rows),
        samples=dev,
        start=start,
        cpu=cpu,
    )
    counts = {
        "rows": len(rows) - len(too_long),
        "rows_too_long": len(too_long),
        "rows_replayed": len(earlier),
    }
    return run_training(run, AnswersTrainer, counts, resume=resume)


@dataclass(frozen=True)
class Run:
    """One training: what is optimised over ``encoded``, and where it goes."""

    recipe: AnswersRecipe
    base: Path
    out: Path
    tokenizer: Any
    encoded: Sequence[Encoded]
    dev_encoded: Sequence[Encoded]
    collator: Any
    data_sha256: str
    samples: Sequence[AnswerRow] = ()
    """Rows that are answered at each evaluation, for reading."""
    start: Path | None = None
    cpu: bool = False
    command: str = "answers"


def run_training(
    run: Run, make_trainer: Callable[..., AnswersTrainer], counts: dict[str, Any], *, resume: bool
) -> dict[str, Any]:
    """Trains, keeps the best weights and writes everything; ``counts`` join the metrics. Empty on
    all processes but the first."""
    import torch

    from finetune.answers_callbacks import BestKept, RankAllocation, Samples
    from finetune.answers_model import trainable_model
    from finetune.answers_trainer import Anchor, Start, last_checkpoint

    check_launcher()
    recipe, out = run.recipe, run.out
    about = {
        "command": run.command,
        "base": run.base.name,
        "base_digest": base_digest(run.base),
        "data_sha256": run.data_sha256,
        "recipe": asdict(recipe),
        "rank": recipe.rank,
        "started_from": None if run.start is None else check_adapter(run.start, run.base).digest,
    }
    check_folder(out, about, resume=resume)
    arguments = training_arguments(
        recipe, out, len(run.encoded), has_dev=bool(run.dev_encoded), cpu=run.cpu
    )
    torch.manual_seed(recipe.seed)
    kept = BestKept(out / CHECKPOINTS, recipe.patience)
    samples = Samples(run.samples, run.tokenizer)
    callbacks: list[Any] = [kept, samples] if run.dev_encoded else []
    if recipe.method == "adalora":
        callbacks.append(RankAllocation())
    started = time.monotonic()
    with remedies(recipe):
        model = trainable_model(recipe, run.base, run.start, arguments.max_steps)
        trainer = make_trainer(
            model=model,
            args=arguments,
            train_dataset=dataset(run.encoded),
            eval_dataset=dataset(run.dev_encoded) if run.dev_encoded else None,
            processing_class=run.tokenizer,
            data_collator=run.collator,
            callbacks=callbacks,
        )
        if recipe.anchor and run.start is not None:
            trainer.anchor = Anchor(model, recipe.anchor)
        start = Start(model) if recipe.start_share and run.start is not None else None
        begin(out, about, resume=resume)
        checkpoint = last_checkpoint(out / CHECKPOINTS) if resume else None
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if not trainer.is_world_process_zero():
        return {}
    tokens = sum(len(one["input_ids"]) for one in run.encoded)
    metrics: dict[str, Any] = {
        **counts,
        "sequences": len(run.encoded),
        "steps": trainer.state.global_step,
        "best_step": kept.restore(trainer.model),
        "minutes": round((time.monotonic() - started) / 60, 1),
        "tokens_per_sequence": round(tokens / len(run.encoded)),
        **history(trainer.state.log_history),
        "samples": samples.found,
    }
    if start is not None:
        start.mix_into(trainer.model, recipe.start_share)
    full = recipe.method == "full"
    save_result(trainer.model, out, about, metrics, run.tokenizer, full=full)
    training_report(out)
    shutil.rmtree(out / CHECKPOINTS, ignore_errors=True)
    finish(out)
    return metrics


def training_arguments(
    recipe: AnswersRecipe, out: Path, sequences: int, *, has_dev: bool, cpu: bool = False
) -> Any:
    """TRL's configuration of the recipe, with the number of steps worked out."""
    import torch
    from trl.trainer.sft_config import SFTConfig

    cuda = torch.cuda.is_available() and not cpu
    steps = steps_of(recipe, sequences)
    evaluate: dict[str, Any] = {"eval_strategy": "no"}
    if has_dev:
        every = recipe.eval_every_steps or max(1, round(steps / max(1.0, recipe.epochs)))
        evaluate = {"eval_strategy": "steps", "eval_steps": every}
    return SFTConfig(
        output_dir=str(out / CHECKPOINTS),
        max_steps=steps,
        per_device_train_batch_size=recipe.batch_size,
        per_device_eval_batch_size=recipe.batch_size,
        gradient_accumulation_steps=recipe.accumulate,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.schedule,
        warmup_steps=round(steps * recipe.warmup_share),
        weight_decay=recipe.weight_decay,
        activation_checkpointing=recipe.gradient_checkpointing,
        bf16=True,
        use_cpu=not cuda,
        max_length=None,
        packing=False,  # ours, see answers_batches.pack
        remove_unused_columns=False,
        dataset_kwargs={"skip_prepare_dataset": True},  # ids are ours, see answers_batches
        **evaluate,
        save_steps=recipe.save_every_steps,
        save_total_limit=2,
        logging_steps=recipe.log_every_steps,
        logging_nan_inf_filter=False,
        dataloader_pin_memory=cuda,
        ddp_find_unused_parameters=False,  # every adapter takes part in every step
        report_to=reporters(out / LOGS),
        seed=recipe.seed,
        data_seed=recipe.seed,
    )


def steps_of(recipe: AnswersRecipe, sequences: int) -> int:
    """Optimiser steps of all epochs on the processes of this run, at least one."""
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    batches = math.ceil(sequences / (recipe.batch_size * processes))
    return max(1, math.ceil(math.ceil(batches / recipe.accumulate) * recipe.epochs))


def encoded_rows(
    tokenizer: Any, rows: Sequence[AnswerRow], recipe: AnswersRecipe
) -> tuple[list[Encoded], list[AnswerRow]]:
    """Sequences as the recipe's method needs them, and the rows that were too long, which are
    named in the log."""
    encode = encode_groups if recipe.branched else encode_rows
    encoded, too_long = encode(tokenizer, rows, recipe.max_tokens)
    if not encoded:
        raise SetupError(
            f"none of {len(rows)} rows fits into max_tokens = {recipe.max_tokens}; raise it or "
            "shorten passages"
        )
    log_too_long([row.question for row in too_long], len(rows), recipe.max_tokens)
    if recipe.packing and recipe.branched:
        encoded = pack(encoded, recipe.max_tokens)
    return encoded, too_long


def log_too_long(questions: Sequence[str], of: int, max_tokens: int) -> None:
    """Names what is left out, so that it can be shortened."""
    if not questions:
        return
    named = "".join(f"\n  {question[:NAMED_CHARS]!r}" for question in questions[:NAMED])
    more = f"\n  … and {len(questions) - NAMED} more" if len(questions) > NAMED else ""
    logger.warning(
        "%d of %d rows do not fit into max_tokens = %d and are left out; raise it or shorten their "
        "cited passages and answers:%s%s",
        len(questions), of, max_tokens, named, more,
    )  # fmt: skip


def dataset(encoded: Sequence[Encoded]) -> Any:
    from datasets import Dataset

    return Dataset.from_list(list(encoded))


def replayed(rows: Sequence[AnswerRow], beside: int, recipe: AnswersRecipe) -> list[AnswerRow]:
    """``replay_share`` earlier rows for each new one, drawn by the seed."""
    count = min(len(rows), round(beside * recipe.replay_share))
    return random.Random(recipe.seed).sample(list(rows), count)


def history(log: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The curves out of the trainer's log."""
    losses = [(entry["step"], entry["loss"]) for entry in log if "loss" in entry]
    dev = [(entry["step"], round(entry["eval_loss"], 4)) for entry in log if "eval_loss" in entry]
    rates = [(entry["step"], entry["learning_rate"]) for entry in log if "learning_rate" in entry]
    if not losses:  # shorter than log_every_steps
        losses = [(e["step"], round(e["train_loss"], 4)) for e in log if "train_loss" in e]
    return {
        "loss_first": round(losses[0][1], 4),
        "loss_last": round(losses[-1][1], 4),
        "dev_loss": min((loss for _, loss in dev), default=None),
        "losses": losses,
        "dev_losses": dev,
        "learning_rates": rates,
    }


@contextmanager
def remedies(recipe: AnswersRecipe) -> Iterator[None]:
    """What breaks a training, with what to do about it."""
    import torch

    try:
        yield
    except (MemoryError, torch.OutOfMemoryError, RuntimeError) as error:
        said = str(error).lower()
        memory = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not memory and "not enough memory" not in said and "can't allocate" not in said:
            raise
        less = max(1, recipe.batch_size // 2)
        hint = (
            f"set batch_size = {less} and accumulate = {recipe.accumulate * 2} (same result)"
            if recipe.batch_size > 1
            else "set gradient_checkpointing = true or a smaller max_tokens"
        )
        raise SetupError(
            f"not enough memory for batches of {recipe.batch_size} × {recipe.max_tokens} tokens: "
            f"{hint} and begin again"
        ) from error
