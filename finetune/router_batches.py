"""Rows to tensors: batches of like length, with noise drawn anew in each epoch."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from chatbot.tags import IGNORED, Span, encode_tags
from chatbot.tokens import Tokens, Window
from finetune.router_augment import augment
from finetune.router_data import OUT_OF_SCOPE, RouterRow

POOL_BATCHES = 50  # rows sorted by length within this many batches: little padding, still mixed


@dataclass(frozen=True, slots=True)
class Batch:
    """``rows`` maps each window to its text; targets are class ids, or 0/1 per output."""

    ids: Tensor
    mask: Tensor
    rows: Tensor
    intents: Tensor
    tags: Tensor | None


@dataclass(frozen=True, slots=True)
class Labels:
    """The order of the heads' outputs."""

    intents: tuple[str, ...]
    learned_scope: bool
    entities: tuple[str, ...]
    multi_label: bool

    @property
    def outputs(self) -> tuple[str, ...]:
        return (*self.intents, OUT_OF_SCOPE) if self.learned_scope else self.intents

    def target(self, row: RouterRow) -> list[int]:
        """0/1 for each output."""
        return [int(name in row.intents) for name in self.outputs]


def tensors(
    rows: Sequence[RouterRow], windows: Sequence[Sequence[Window]], labels: Labels, tokens: Tokens
) -> Batch:
    """One batch; ``windows`` are those of each row."""
    flat = [(place, window) for place, mine in enumerate(windows) for window in mine]
    longest = max(len(window.ids) for _, window in flat)
    # serving pads to few widths, which training would pay for in every step
    ids, mask = (a[:, :longest] for a in tokens.arrays([window for _, window in flat]))
    tags = None
    if labels.entities:
        tags = torch.full(ids.shape, IGNORED, dtype=torch.long)
        for line, (place, window) in enumerate(flat):
            spans: list[Span] = [(e.start, e.end, e.label) for e in rows[place].entities]
            encoded = encode_tags(window.offsets, spans, labels.entities)
            tags[line, : len(encoded)] = torch.tensor(encoded)
    targets = torch.tensor([labels.target(row) for row in rows])
    return Batch(
        torch.from_numpy(ids),
        torch.from_numpy(mask),
        torch.tensor([place for place, _ in flat]),
        targets if labels.multi_label else targets.argmax(dim=1),
        tags,
    )


def epoch(
    rows: Sequence[RouterRow],
    labels: Labels,
    tokens: Tokens,
    *,
    size: int,
    noise: float,
    rng: random.Random,
) -> Iterator[Batch]:
    """The batches of one epoch, in the order that ``rng`` draws."""
    order = list(rows)
    rng.shuffle(order)
    for first in range(0, len(order), size * POOL_BATCHES):
        pool = order[first : first + size * POOL_BATCHES]
        windows = tokens.of_each([_noisy(r, rng) if rng.random() < noise else r.text for r in pool])
        # by tokens, after the noise: a typing error makes one word many, and one such row would
        # widen its whole batch
        places = sorted(range(len(pool)), key=lambda i: sum(len(w.ids) for w in windows[i]))
        groups = [places[i : i + size] for i in range(0, len(places), size)]
        rng.shuffle(groups)
        for group in groups:
            yield tensors([pool[i] for i in group], [windows[i] for i in group], labels, tokens)


def _noisy(row: RouterRow, rng: random.Random) -> str:
    return augment(row.text, [(e.start, e.end, e.label) for e in row.entities], rng)
