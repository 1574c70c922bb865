"""Trains the tagger: an adapter of all layers, the words' shapes and the tags, together."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from chatbot.safety.pii_network import TaggerNetwork
from chatbot.safety.pii_shapes import shapes_of
from chatbot.safety.pii_tagger import LABELS, SCALE
from chatbot.tags import IGNORED, encode_tags, tag_count
from chatbot.tokens import Tokens, Window
from finetune.cross_encoder import adapt, resumed, save_checkpoint
from finetune.pii_rows import Tagged
from knowledge_base.batching import Row, padded
from knowledge_base.encoder import EncoderFiles, pad_id
from knowledge_base.lora import stored

LONGEST: Final = 96  # tokens; the few longer windows cost most of the time


@dataclass(frozen=True, slots=True)
class Recipe:
    rank: int = 16
    epochs: int = 3
    batch: int = 32
    adapter_rate: float = 1.5e-3
    head_rate: float = 5e-3
    warm_up: float = 0.05
    smoothing: float = 0.02
    save_every: int = 100
    """Steps between two checkpoints, from which an interrupted run goes on."""


@dataclass(frozen=True, slots=True)
class _Example:
    ids: tuple[int, ...]
    shapes: tuple[int, ...]
    tags: tuple[int, ...]


def train(
    rows: Sequence[Tagged], files: EncoderFiles, recipe: Recipe, checkpoint: Path, seed: int = 0
) -> tuple[TaggerNetwork, dict[str, Tensor]]:
    """The trained network, and its tensors as serving reads them.

    ``checkpoint`` lets the same rows, recipe and seed go on where they were interrupted.
    """
    from rich.progress import track
    from transformers import get_cosine_schedule_with_warmup

    torch.manual_seed(seed)
    tokens = Tokens(files)
    examples = _examples(rows, tokens)
    encoder = files.model()
    adapted = adapt(encoder, recipe.rank, int(SCALE * recipe.rank))
    network = TaggerNetwork(encoder, tag_count(LABELS))
    adapter = [p for p in encoder.parameters() if p.requires_grad]
    heads = [*network.shapes.parameters(), *network.tags.parameters()]
    optimiser = torch.optim.AdamW(
        [
            {"params": adapter, "lr": recipe.adapter_rate},
            {"params": heads, "lr": recipe.head_rate},
        ],
        weight_decay=0.01,
    )
    plan = [b for epoch in range(recipe.epochs) for b in _batches(examples, recipe, seed, epoch)]
    schedule = get_cosine_schedule_with_warmup(
        optimiser, int(recipe.warm_up * len(plan)), len(plan)
    )
    done = resumed(checkpoint, network, optimiser, schedule)
    loss_of = nn.NLLLoss(ignore_index=IGNORED)
    network.train()
    pad = pad_id(tokens.backend)
    for step in track(range(done, len(plan)), description=f"{len(examples)} windows"):
        loss = _loss(network, [examples[i] for i in plan[step]], pad, loss_of, recipe.smoothing)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_([*adapter, *heads], 1.0)
        optimiser.step()
        schedule.step()
        if (step + 1) % recipe.save_every == 0:
            save_checkpoint(checkpoint, network, optimiser, schedule, step + 1)
    network.eval()
    tensors = stored({name: (layer.down, layer.up) for name, layer in adapted.items()})
    tensors |= {
        "shapes": network.shapes.weight.detach().half(),
        "tags.weight": network.tags.weight.detach().half(),
        "tags.bias": network.tags.bias.detach().half(),
    }
    return network, tensors


def _loss(
    network: TaggerNetwork, batch: Sequence[_Example], pad: int, loss_of: Any, smoothing: float
) -> Tensor:
    ids, mask, shapes = (
        torch.from_numpy(a) for a in padded([Row(e.ids, e.shapes) for e in batch], pad)
    )
    wanted = torch.full(ids.shape, IGNORED)
    for i, example in enumerate(batch):
        wanted[i, : len(example.tags)] = torch.tensor(example.tags)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = network(ids, mask, shapes)
    flat = found.float().flatten(0, 1)
    known = wanted.flatten() != IGNORED
    even: Tensor = -flat[known].mean()
    right: Tensor = loss_of(flat, wanted.flatten())
    return (1 - smoothing) * right + smoothing * even


def _examples(rows: Sequence[Tagged], tokens: Tokens) -> list[_Example]:
    found = []
    for row, windows in zip(rows, tokens.of_each([r.text for r in rows]), strict=True):
        found += [_example(row, window) for window in windows]
    return found


def _example(row: Tagged, window: Window) -> _Example:
    tags = encode_tags(window.offsets, row.spans, LABELS)
    shapes = shapes_of(row.text, window.offsets)
    return _Example(window.ids[:LONGEST], tuple(shapes[:LONGEST]), tuple(tags[:LONGEST]))


def _batches(
    examples: Sequence[_Example], recipe: Recipe, seed: int, epoch: int
) -> list[list[int]]:
    """Batches of like length, in random order."""
    dice = random.Random(f"{seed}:{epoch}")
    order = list(range(len(examples)))
    dice.shuffle(order)
    batches: list[list[int]] = []
    for start in range(0, len(order), recipe.batch * 30):
        part = sorted(order[start : start + recipe.batch * 30], key=lambda i: len(examples[i].ids))
        batches += [part[a : a + recipe.batch] for a in range(0, len(part), recipe.batch)]
    dice.shuffle(batches)
    return batches
