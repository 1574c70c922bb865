"""Trains the reranker's cross-encoder on groups: one question, several passages."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from finetune.cross_encoder import CrossEncoder, go_on_from, resumed, save_checkpoint
from finetune.reranker_recipe import Recipe
from finetune.reranker_rows import Group
from knowledge_base.encoder import EncoderFiles
from knowledge_base.lora import read_tensors
from knowledge_base.reranker import MAX_TOKENS

WARM_UP = 0.06
SMOOTHING = 0.03
LISTWISE = 0.5  # weight of the loss over the passages of one question
REPORT_STEPS = 50
CHECKPOINT_STEPS = 200
CHECKPOINT = "checkpoint.pt"
PARTS = 3  # a batch is padded in so many parts


Logits = Callable[[Sequence[Group]], Tensor]
"""From a batch to the logits of all its passages, one group after the other."""


def train_cross_encoder(
    groups: Sequence[Group],
    files: EncoderFiles,
    recipe: Recipe,
    start: Path | None = None,
    out: Path | None = None,
) -> CrossEncoder:
    """The first stage. ``start`` is a tensors file to begin from; ``out`` as in ``train``."""
    torch.manual_seed(recipe.seed)
    model = CrossEncoder(files, recipe.rank, recipe.alpha)
    if start is not None:
        begin_from(model, start)
    tokenizer = files.tokenizer()
    rates = [{"params": trained(model), "lr": recipe.learning_rate}]
    train(model, rates, [groups], lambda batch: logits_of(model, tokenizer, batch), recipe, out)
    return model


def train(
    model: nn.Module,
    rates: list[dict[str, Any]],
    phases: Sequence[Sequence[Group]],
    logits: Logits,
    recipe: Recipe,
    out: Path | None = None,
) -> None:
    """One pass over the groups of each phase, one phase after the other.

    ``rates``: the optimiser's groups of parameters; ``out``: a folder for checkpoints, from which
    an interrupted run goes on. The loss is binary cross-entropy (for probabilities) and, where a
    group has an answer, the negative logarithm of the share that the answers have of the group's
    softmax (for order).
    """
    from rich.progress import track

    weights = trained(model)
    optimiser = torch.optim.AdamW(rates, weight_decay=0.01)
    plan = [
        batch
        for n, phase in enumerate(phases)
        for batch in _batches(phase, recipe.seed + n, recipe.batch)
    ]
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, _shape(len(plan)))
    path = out / CHECKPOINT if out else None
    done = resumed(path, model, optimiser, schedule) if path else 0
    model.train()
    total = 0.0
    for step in track(range(done, len(plan)), description="reranker"):
        batch = plan[step]
        loss: Any = loss_of(logits(batch), batch)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        schedule.step()
        total += loss.item()
        if (step + 1) % REPORT_STEPS == 0:
            print(f"step {step + 1} of {len(plan)}, loss {total / REPORT_STEPS:.3f}", flush=True)
            total = 0.0
        if path and (step + 1) % CHECKPOINT_STEPS == 0:
            save_checkpoint(path, model, optimiser, schedule, done=step + 1)
    if path:
        path.unlink(missing_ok=True)
    model.eval()


def trained(model: nn.Module) -> list[nn.Parameter]:
    return [weight for weight in model.parameters() if weight.requires_grad]


def begin_from(model: CrossEncoder, path: Path) -> None:
    """Begins with a trained adapter: it has learnt to compare two texts, a random one has not."""
    tensors = read_tensors(path)
    go_on_from(model.adapted, tensors)
    with torch.no_grad():
        model.out.weight[0].copy_(tensors["out"][:-1])
        model.out.bias.copy_(tensors["out"][-1:])


def loss_of(found: Tensor, batch: Sequence[Group]) -> Tensor:
    """``found`` are the logits of all passages of the batch, one group after the other."""
    labels = torch.tensor([float(label) for group in batch for label in group.labels])
    wanted = labels * (1 - 2 * SMOOTHING) + SMOOTHING
    loss = nn.functional.binary_cross_entropy_with_logits(found, wanted)
    parts = []
    start = 0
    for group in batch:
        place = slice(start, start := start + len(group.labels))
        logits, own = found[place], labels[place]
        if 0 < own.sum() < len(own):
            parts.append(logits.logsumexp(0) - logits[own > 0].logsumexp(0))
    return loss + LISTWISE * torch.stack(parts).mean() if parts else loss


def logits_of(model: CrossEncoder, tokenizer: Any, batch: Sequence[Group]) -> Tensor:
    """Logits of all passages of the batch, shape (pairs,), computed in parts of like length."""
    pairs = [(group.question, passage) for group in batch for passage in group.passages]
    found: list[Tensor] = []
    order: list[int] = []
    for places in by_length([len(q) + len(p) for q, p in pairs], parts=PARTS):
        order += places
        found.append(
            model(
                tokenizer(
                    [pairs[i][0] for i in places],
                    [pairs[i][1] for i in places],
                    padding=True,
                    truncation="longest_first",
                    max_length=MAX_TOKENS,
                    return_tensors="pt",
                )
            )
        )
    back = torch.empty(len(order), dtype=torch.long)
    back[torch.tensor(order)] = torch.arange(len(order))
    return torch.cat(found)[back]


def by_length(lengths: Sequence[int], parts: int) -> list[list[int]]:
    """Places in order of length, in so many parts: short texts are not padded to long ones."""
    order = sorted(range(len(lengths)), key=lambda place: lengths[place])
    return [part.tolist() for part in np.array_split(order, parts) if len(part)]


def _batches(groups: Sequence[Group], seed: int, pairs: int) -> list[list[Group]]:
    """Groups of like length together: little padding. The batches are in random order."""
    rng = random.Random(seed)
    order = list(groups)
    rng.shuffle(order)
    batches: list[list[Group]] = []
    for start in range(0, len(order), 300):
        part = sorted(order[start : start + 300], key=lambda g: max(map(len, g.passages)))
        batch: list[Group] = []
        for group in part:
            batch.append(group)
            if sum(len(g.labels) for g in batch) >= pairs:
                batches.append(batch)
                batch = []
        if batch:
            batches.append(batch)
    rng.shuffle(batches)
    return batches


def _shape(steps: int) -> Any:
    warm = max(1, int(WARM_UP * steps))

    def factor(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        return 0.02 + 0.49 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))

    return factor
