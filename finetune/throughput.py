"""``finetune evaluate throughput``: steps of our trainer against a bare peft loop on the same
batches, one after the other in one process, so that a busy machine slows both."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from finetune.answers import dataset, encoded_rows, training_arguments
from finetune.answers_batches import BranchCollator
from finetune.answers_recipe import AnswersRecipe
from finetune.answers_rows import AnswerRow

ROUNDS = 3


def throughput(
    recipe: AnswersRecipe, rows: Sequence[AnswerRow], base: Path, steps: int, *, cpu: bool = False
) -> dict[str, Any]:
    """Sequences per second of both, the best of ``ROUNDS`` alternating rounds each."""
    from transformers import AutoTokenizer

    # One pass over the sequences, without the checkpoints that the bare loop does not write.
    recipe = replace(recipe, epochs=1.0, accumulate=1, save_every_steps=1_000_000)
    tokenizer: Any = AutoTokenizer.from_pretrained(base)
    encoded = encoded_rows(tokenizer, rows, recipe)[0][: steps * recipe.batch_size]
    collator = BranchCollator(tokenizer.pad_token_id)
    bare, ours = [], []
    for _ in range(ROUNDS):
        bare.append(_bare_loop(recipe, encoded, collator, base, cpu=cpu))
        ours.append(_our_loop(recipe, encoded, collator, base, tokenizer, cpu=cpu))
    return {
        "sequences": len(encoded),
        "bare_per_s": round(len(encoded) / min(bare), 3),
        "ours_per_s": round(len(encoded) / min(ours), 3),
        "ratio": round(min(bare) / min(ours), 3),
    }


def _bare_loop(
    recipe: AnswersRecipe,
    encoded: Sequence[Any],
    collator: BranchCollator,
    base: Path,
    *,
    cpu: bool,
) -> float:
    """peft's model, its own loss over all positions, AdamW; nothing else."""
    import torch

    from finetune.answers_model import trainable_model

    model = trainable_model(recipe, base, None, 1).train()
    device = "cpu" if cpu or not torch.cuda.is_available() else "cuda"
    model.to(device)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=recipe.learning_rate)
    longest_first = sorted(encoded, key=lambda one: -len(one["input_ids"]))
    started = time.perf_counter()
    for at in range(0, len(longest_first), recipe.batch_size):
        batch = collator(longest_first[at : at + recipe.batch_size])
        batch = {name: tensor.to(device) for name, tensor in batch.items()}
        with torch.autocast(device, torch.bfloat16):
            loss = model(**batch, use_cache=False).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return time.perf_counter() - started


def _our_loop(
    recipe: AnswersRecipe,
    encoded: Sequence[Any],
    collator: BranchCollator,
    base: Path,
    tokenizer: Any,
    *,
    cpu: bool,
) -> float:
    from finetune.answers_model import trainable_model
    from finetune.answers_trainer import AnswersTrainer

    with tempfile.TemporaryDirectory() as folder:
        arguments = training_arguments(recipe, Path(folder), len(encoded), has_dev=False, cpu=cpu)
        trainer = AnswersTrainer(
            model=trainable_model(recipe, base, None, arguments.max_steps),
            args=arguments,
            train_dataset=dataset(encoded),
            processing_class=tokenizer,
            data_collator=collator,
        )
        started = time.perf_counter()
        trainer.train()
        return time.perf_counter() - started


def evaluate_throughput_command(
    data: Annotated[list[Path], typer.Option(help="Rows as 'finetune prepare' writes them.")],
    steps: Annotated[int, typer.Option(min=1)] = 20,
    config: Annotated[Path | None, typer.Option(help="A recipe.toml with [answers].")] = None,
    cpu: Annotated[bool, typer.Option("--cpu", help="Although there is a GPU.")] = False,
    data_dir: Annotated[Path | None, typer.Option(help="As CHATBOT_DATA_DIR.")] = None,
) -> None:
    """Training speed beside a bare peft loop; ratio 1 is equal, more is faster."""
    from chatbot.answering.base_model import prepare_base_model
    from chatbot.settings import load_settings
    from finetune.answers_recipe import load_recipe
    from finetune.answers_rows import read_rows

    base = prepare_base_model(load_settings(data_dir=data_dir))
    recipe = load_recipe(config)
    print(json.dumps(throughput(recipe, read_rows(data), base, steps, cpu=cpu), indent=1))
