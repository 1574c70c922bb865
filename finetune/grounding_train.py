"""Trains the cross-encoder of the grounding head: LoRA on the shared encoder, one logit."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from chatbot.safety.grounding_head import MAX_TOKENS
from finetune.cross_encoder import CrossEncoder, resumed, save_checkpoint
from knowledge_base.encoder import EncoderFiles

BATCH = 32
LEARNING_RATE = 1e-3  # of the LoRA matrices and of the output vector
WARM_UP = 0.06  # of all steps
SMOOTHING = 0.03  # some corruptions are true after all
CHECKPOINT_STEPS = 100


@dataclass(frozen=True, slots=True)
class Pair:
    """What the network reads and whether the second supports the first."""

    claim: str
    evidence: str
    label: int


def train(
    pairs: Sequence[Pair],
    files: EncoderFiles,
    out: Path,
    *,
    rank: int,
    alpha: int,
    epochs: int,
    seed: int,
    checkpoint: str,
    resume: bool = False,
) -> CrossEncoder:
    """Binary cross-entropy, AdamW, linear warm-up and cosine decay; shows progress.

    With ``resume`` it goes on from the last checkpoint in ``out``, which lies there until the
    run has ended.
    """
    from rich.progress import track

    torch.manual_seed(seed)
    model = CrossEncoder(files, rank, alpha)
    tokenizer = files.tokenizer()
    weights = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=LEARNING_RATE, weight_decay=0.01)
    plan = [batch for epoch in range(epochs) for batch in _batches(pairs, seed + epoch)]
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, _shape(len(plan)))
    path = out / checkpoint
    done = resumed(path, model, optimiser, schedule) if resume else 0
    loss_of = nn.BCEWithLogitsLoss()
    model.train()
    for step in track(range(done, len(plan)), description="cross-encoder"):
        batch = [pairs[i] for i in plan[step]]
        wanted = torch.tensor([float(pair.label) for pair in batch])
        loss = loss_of(model(encoded(tokenizer, batch)), wanted * (1 - 2 * SMOOTHING) + SMOOTHING)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        schedule.step()
        if step % CHECKPOINT_STEPS == CHECKPOINT_STEPS - 1:
            print(f"step {step + 1} of {len(plan)}, loss {loss.item():.3f}", flush=True)
            save_checkpoint(path, model, optimiser, schedule, done=step + 1)
    path.unlink(missing_ok=True)
    return model.eval()


def encoded(tokenizer: Any, pairs: Sequence[Pair]) -> Any:
    """Token ids as ``GroundingHead.logits`` makes them."""
    return tokenizer(
        [pair.claim for pair in pairs],
        [pair.evidence for pair in pairs],
        padding=True,
        truncation="longest_first",
        max_length=MAX_TOKENS,
        return_tensors="pt",
    )


def _batches(pairs: Sequence[Pair], seed: int) -> list[list[int]]:
    """Batches of like length, in random order: little padding, and no order to learn."""
    rng = random.Random(seed)
    order = list(range(len(pairs)))
    rng.shuffle(order)
    batches: list[list[int]] = []
    for start in range(0, len(order), BATCH * 50):
        part = order[start : start + BATCH * 50]
        part.sort(key=lambda i: len(pairs[i].claim) + len(pairs[i].evidence))
        batches += [part[a : a + BATCH] for a in range(0, len(part), BATCH)]
    rng.shuffle(batches)
    return batches


def _shape(steps: int) -> Any:
    warm = max(1, int(WARM_UP * steps))

    def factor(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))

    return factor
