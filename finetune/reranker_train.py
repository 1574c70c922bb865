"""Trains the reranker's cross-encoder on groups: one question, several passages."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from finetune.grounding_train import CrossEncoder
from finetune.reranker_rows import Group
from knowledge_base.encoder import EncoderFiles
from knowledge_base.lora import adapter_of, read_tensors
from knowledge_base.reranker import MAX_TOKENS

PAIRS = 36  # in a batch, about
LEARNING_RATE = 8e-4
WARM_UP = 0.06
SMOOTHING = 0.03
LISTWISE = 0.5  # weight of the loss over the passages of one question
REPORT_STEPS = 50
PARTS = 3  # a batch is padded in so many parts


def train(
    groups: Sequence[Group],
    files: EncoderFiles,
    *,
    rank: int,
    alpha: int,
    seed: int,
    start: Path | None = None,
) -> CrossEncoder:
    """One pass over the groups. ``start`` is a tensors file of the grounding head.

    The loss is binary cross-entropy (for probabilities) and, where a group has an answer, the
    negative logarithm of the share that the answers have of the group's softmax (for order).
    """
    from rich.progress import track

    torch.manual_seed(seed)
    model = CrossEncoder(files, rank, alpha)
    if start is not None:
        begin_from(model, start)
    tokenizer = files.tokenizer()
    weights = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=LEARNING_RATE, weight_decay=0.01)
    plan = _batches(groups, seed)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, _shape(len(plan)))
    model.train()
    total = 0.0
    for step, batch in enumerate(track(plan, description="reranker"), 1):
        found = logits_of(model, tokenizer, batch)
        loss: Any = loss_of(found, batch)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        schedule.step()
        total += loss.item()
        if step % REPORT_STEPS == 0:
            print(f"step {step} of {len(plan)}, loss {total / REPORT_STEPS:.3f}", flush=True)
            total = 0.0
    return model.eval()


def begin_from(model: CrossEncoder, path: Path) -> None:
    """Begins with a trained adapter: it has learnt to compare two texts, a random one has not."""
    tensors = read_tensors(path)
    adapter = adapter_of(tensors)
    with torch.no_grad():
        for name, layer in model.adapted.items():
            down, up = adapter[name]
            layer.down.copy_(down)
            layer.up.copy_(up)
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


def _batches(groups: Sequence[Group], seed: int) -> list[list[Group]]:
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
            if sum(len(g.labels) for g in batch) >= PAIRS:
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
