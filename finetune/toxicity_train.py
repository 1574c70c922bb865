"""Trains the delta: a linear probe on frozen vectors first, then LoRA started from that probe.

The order matters (LP-FT, Kumar et al. 2022, arXiv:2202.10054): a head that already fits leaves
the encoder little reason to forget what it knows, which is what turns a plain fine-tune into a
detector of swear words. What the probe thought, or the delta that a run goes on from, stays in the
loss together with a larger encoder's opinion (``toxicity_teacher``): where a set does not say (a
missing label) that opinion stands in, and on the public sets it tempers the targets. The project's
own rows are hardly tempered: they are there because a model that read forums is wrong about them.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chatbot.safety.toxicity_weights import CLASSES, FORMAT, State
from finetune.toxicity_augment import COPY
from finetune.toxicity_data import Row, matrix
from finetune.toxicity_figures import BAD, GOOD
from finetune.toxicity_model import Encoded, Floats, trainable
from finetune.toxicity_own import OWN
from finetune.toxicity_recipe import Recipe

if TYPE_CHECKING:
    import torch


def fit_probe(features: Floats, rows: Sequence[Row], recipe: Recipe) -> tuple[Floats, Floats]:
    """Logistic regression per label on frozen vectors, soft targets, missing labels masked.

    Returns weights (6, 384) and biases (6,). Full-batch L-BFGS.
    """
    import torch

    values, weights = matrix(rows)
    known = torch.tensor(~np.isnan(values), dtype=torch.float32)
    known = known * torch.tensor(weights)[:, None]
    known = known / known.sum(0, keepdim=True)
    wanted = torch.tensor(np.nan_to_num(values))
    inputs = torch.tensor(features)
    weight = torch.zeros(len(CLASSES), features.shape[1], requires_grad=True)
    bias = torch.full((len(CLASSES),), -2.0, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=150, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        logits = inputs @ weight.T + bias
        losses = torch.nn.functional.binary_cross_entropy_with_logits(
            logits, wanted, reduction="none"
        )
        loss = (losses * known).sum() + recipe.probe_l2 * weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return weight.detach().numpy(), bias.detach().numpy()


def opinion_shares(rows: Sequence[Row], recipe: Recipe) -> Floats:
    """How much of each target (rows, 6) is the teacher's opinion."""
    shares = np.full((len(rows), len(CLASSES)), recipe.teacher_share, dtype=np.float32)
    obscene = CLASSES.index("obscene")
    for place, row in enumerate(rows):
        if is_own(row):
            shares[place] = recipe.own_teacher_share
            if row.targets[obscene] >= BAD and row.targets[0] <= GOOD:
                shares[place, 0] = recipe.own_profanity_share
    return shares


def is_own(row: Row) -> bool:
    return row.source.removeprefix(COPY).startswith(OWN)


def wanted(
    rows: Sequence[Row], teacher: Floats, recipe: Recipe
) -> tuple[torch.Tensor, torch.Tensor]:
    """Targets (rows, 6) between label and the teacher's logits, and weights whose mean is 1."""
    import torch

    values, weights = matrix(rows)
    known = ~np.isnan(values)
    opinion = 1 / (1 + np.exp(-teacher))
    share = opinion_shares(rows, recipe)
    targets = np.where(known, (1 - share) * np.nan_to_num(values) + share * opinion, opinion)
    matters = np.where(known, 1.0, recipe.missing_weight) * weights[:, None]
    matters = matters * np.array(recipe.label_weights)
    matters[[not is_own(row) for row in rows]] *= recipe.public_weight
    return (
        torch.tensor(targets, dtype=torch.float32),
        torch.tensor(matters / matters.mean(), dtype=torch.float32),
    )


def write_delta(path: Path, delta: State, recipe: Recipe, base_sha256: str) -> None:
    from safetensors.torch import save_file

    header = {
        "format": FORMAT,
        "base_sha256": base_sha256,
        "scale": str(recipe.alpha / recipe.rank),
        "classes": json.dumps(CLASSES),
        "recipe": json.dumps(asdict(recipe)),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(delta, path, metadata=header)
    path.chmod(0o644)  # safetensors writes for the owner alone; a package is read by others


def _epochs(encoded: Encoded, recipe: Recipe) -> Iterator[list[list[int]]]:
    epoch = 0
    while True:
        yield encoded.batches(recipe.tokens_per_batch, random.Random(recipe.seed + epoch))
        epoch += 1


def train(
    model: Any,
    encoded: Encoded,
    rows: Sequence[Row],
    teacher: Floats,
    recipe: Recipe,
    out: Path,
    *,
    resume: bool,
) -> None:
    """Trains ``model`` (with LoRA) in place; writes ``out``/state.pt to resume from."""
    import torch
    from tqdm import tqdm  # type: ignore[import-untyped]

    torch.manual_seed(recipe.seed)
    targets, importance = wanted(rows, teacher, recipe)
    parts = [
        {
            "params": [p for n, p in model.named_parameters() if p.requires_grad and part in n],
            "lr": lr,
        }
        for part, lr in (
            ("lora", recipe.learning_rate),
            ("classifier", recipe.classifier_learning_rate),
            ("pooler", recipe.pooler_learning_rate),
        )
    ]
    optimizer = torch.optim.AdamW(parts, weight_decay=recipe.weight_decay)
    learned = [p for p in model.parameters() if p.requires_grad]
    per_epoch = len(encoded.batches(recipe.tokens_per_batch, random.Random(recipe.seed)))
    total = max(1, int(per_epoch * recipe.epochs))
    warmup = max(1, int(total * recipe.warmup_share))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min((step + 1) / warmup, max(0.02, (total - step) / (total - warmup + 1))),
    )
    saved, step = out / "state.pt", 0
    if resume and saved.exists():
        state = torch.load(saved, weights_only=True)
        step = int(state["step"])
        model.load_state_dict(state["model"], strict=False)
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
    running, seen = 0.0, 0
    with tqdm(total=total, initial=step, desc="train", unit="step") as bar:
        for batches in _epochs(encoded, recipe):
            for batch in batches:
                if seen < step:  # resumed: the same order, the part already done is skipped
                    seen += 1
                    continue
                if step >= total:
                    return
                model.train()
                ids, mask = encoded.tensors(batch)
                with torch.autocast("cpu", dtype=torch.bfloat16):
                    logits = model(input_ids=ids, attention_mask=mask).logits.float()
                loss = (
                    torch.nn.functional.binary_cross_entropy_with_logits(
                        logits, targets[batch], reduction="none"
                    )
                    * importance[batch]
                ).mean()
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(learned, 1.0)
                optimizer.step()
                schedule.step()
                step, seen = step + 1, seen + 1
                running = 0.97 * running + 0.03 * loss.item() if running else loss.item()
                bar.set_postfix(loss=f"{running:.4f}")
                bar.update()
                if step % recipe.checkpoint_every == 0 or step == total:
                    _save(saved, model, optimizer, schedule, step)


def _save(path: Path, model: Any, optimizer: Any, schedule: Any, step: int) -> None:
    import torch

    partial = path.with_suffix(".partial")
    torch.save(
        {
            "step": step,
            "model": trainable(model),
            "optimizer": optimizer.state_dict(),
            "schedule": schedule.state_dict(),
        },
        partial,
    )
    partial.replace(path)
