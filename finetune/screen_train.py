"""Trains the adapter of the screen's encoder: injection and crisis together, one network.

The heads that are trained with it are linear and see nothing but the adapted vector, so that the
vector has to learn the difference; what words and the shared encoder know is added afterwards.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from chatbot.safety.classifiers import Vectors
from chatbot.safety.screen_encoder import SCALE
from finetune.cross_encoder import adapt
from finetune.screen_data import ARTICLE, Row, bucket
from finetune.screen_report import ORDINARY
from knowledge_base.encoder import MAX_TOKENS, EncoderFiles
from knowledge_base.lora import stored
from knowledge_base.torch_forward import mean_of, states_of

HEADS: Final = ("injection", "crisis")
UNLABELLED: Final = -1
LONGEST: Final = 300  # characters: longer rows cost most of the time and are few


@dataclass(frozen=True, slots=True)
class Recipe:
    rank: int = 16
    epochs: int = 3
    batch: int = 32
    adapter_rate: float = 1e-3
    head_rate: float = 5e-3
    dropout: float = 0.1
    """Of the vector's dimensions, so that no head rests on a few of them."""
    smoothing: float = 0.03
    warm_up: float = 0.06
    ordinary: int = 3
    """Of so many ordinary questions, and pieces of articles, one: they are plenty and easy."""


@dataclass(frozen=True, slots=True)
class Trained:
    adapter: dict[str, Tensor]
    """As ``knowledge_base.lora.stored`` gives it."""
    weights: dict[str, Vectors]
    """By head, shape (1, dimension), for the adapted unit vector."""
    biases: dict[str, Vectors]

    def head(self, name: str) -> tuple[Vectors, Vectors] | None:
        """None for a head that has no part in the adapted vector."""
        return (self.weights[name], self.biases[name]) if name in self.weights else None

    def save_adapter(self, path: Path) -> None:
        from safetensors.torch import save_file

        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(self.adapter, path)
        path.chmod(0o644)  # safetensors writes 0600: no package data


class ScreenModel(nn.Module):
    """The adapted encoder and one linear output a head."""

    def __init__(self, files: EncoderFiles, recipe: Recipe) -> None:
        super().__init__()
        self.encoder: Any = files.model()
        self.tokenizer = files.tokenizer()
        self.adapted = adapt(self.encoder, recipe.rank, int(SCALE * recipe.rank))
        hidden = int(self.encoder.config.hidden_size)
        self.length = math.sqrt(hidden)  # a unit vector's entries are too small to learn from
        self.out = nn.Linear(hidden, len(HEADS))
        nn.init.zeros_(self.out.weight)
        nn.init.constant_(self.out.bias, -1.0)
        self.dropout = nn.Dropout(recipe.dropout)

    def forward(self, texts: Sequence[str]) -> Tensor:
        """Logits, shape (len(texts), len(HEADS))."""
        batch = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
        )
        mask = batch["attention_mask"]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            states = states_of(self.encoder, batch["input_ids"], mask, batch["token_type_ids"])
        vectors = nn.functional.normalize(mean_of(states.float(), mask), dim=1)
        logits: Tensor = self.out(self.dropout(vectors * self.length))
        return logits

    def trained(self) -> Trained:
        weight = (self.out.weight.detach() * self.length).numpy()
        bias = self.out.bias.detach().numpy()
        return Trained(
            stored({name: (layer.down, layer.up) for name, layer in self.adapted.items()}),
            {head: weight[i : i + 1].copy() for i, head in enumerate(HEADS)},
            {head: bias[i : i + 1].copy() for i, head in enumerate(HEADS)},
        )


def train_adapter(
    rows: Sequence[Row], files: EncoderFiles, recipe: Recipe, seed: int = 0
) -> Trained:
    """Learns from the train rows among ``rows``; minutes on one core."""
    from rich.progress import track
    from transformers import get_cosine_schedule_with_warmup

    torch.manual_seed(seed)
    chosen = [row for row in rows if _chosen(row, recipe)]
    labels = torch.tensor([[_label(getattr(row, head)) for head in HEADS] for row in chosen])
    shares = [_share(labels[:, i]) for i in range(len(HEADS))]
    model = ScreenModel(files, recipe)
    adapter = [p for p in model.encoder.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(
        [
            {"params": adapter, "lr": recipe.adapter_rate},
            {"params": model.out.parameters(), "lr": recipe.head_rate},
        ],
        weight_decay=0.01,
    )
    plan = [b for epoch in range(recipe.epochs) for b in _batches(chosen, recipe, seed, epoch)]
    warm_up = int(recipe.warm_up * len(plan))
    schedule = get_cosine_schedule_with_warmup(optimiser, warm_up, len(plan))
    model.train()
    for places in track(plan, description=f"{len(chosen)} rows"):
        logits = model([chosen[i].text for i in places])
        losses = [
            _loss(logits[:, i], labels[places, i], share, recipe.smoothing)
            for i, share in enumerate(shares)
        ]
        optimiser.zero_grad()
        torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(adapter, 1.0)
        optimiser.step()
        schedule.step()
    return model.eval().trained()


def _chosen(row: Row, recipe: Recipe) -> bool:
    if row.split != "train" or len(row.text) > LONGEST:
        return False
    if row.injection is None and row.crisis is None:
        return False
    plenty = row.source in {*ORDINARY, ARTICLE} - {"question", "talk"}
    return not plenty or bucket(row.text, recipe.ordinary) == 0


def _label(value: int | None) -> int:
    return UNLABELLED if value is None else value


def _share(labels: Tensor) -> float:
    """Of the labelled rows, how many are positive."""
    return float(labels[labels != UNLABELLED].float().mean())


def _loss(logits: Tensor, labels: Tensor, share: float, smoothing: float) -> Tensor:
    """Cross-entropy over the labelled rows, both classes of equal weight."""
    known = labels != UNLABELLED
    if not known.any():
        return logits.sum() * 0
    wanted = labels[known].float()
    return nn.functional.binary_cross_entropy_with_logits(
        logits[known],
        wanted * (1 - 2 * smoothing) + smoothing,
        weight=torch.where(wanted > 0, 0.5 / share, 0.5 / (1 - share)),
    )


def _batches(rows: Sequence[Row], recipe: Recipe, seed: int, epoch: int) -> list[list[int]]:
    """Batches of like length, in random order."""
    dice = random.Random(f"{seed}:{epoch}")
    order = list(range(len(rows)))
    dice.shuffle(order)
    batches: list[list[int]] = []
    for start in range(0, len(order), recipe.batch * 20):
        part = sorted(order[start : start + recipe.batch * 20], key=lambda i: len(rows[i].text))
        batches += [part[a : a + recipe.batch] for a in range(0, len(part), recipe.batch)]
    dice.shuffle(batches)
    return batches


def side_by_side(
    first: tuple[Vectors, Vectors], second: tuple[Vectors, Vectors] | None, share: float, width: int
) -> tuple[Vectors, Vectors]:
    """One head over shared vector, adapted vector and n-grams.

    ``first`` is a head over shared vector (``width`` entries) and n-grams, ``second`` one over
    the adapted vector; the logit is ``share`` of the first and all of the second. Without a
    ``second`` the first stays as it is.
    """
    weight, bias = first
    if second is None:
        adapted = np.zeros((len(weight), width), np.float32)
        return np.concatenate([weight[:, :width], adapted, weight[:, width:]], axis=1), bias
    scaled = weight * share
    joined = np.concatenate([scaled[:, :width], second[0], scaled[:, width:]], axis=1)
    return joined.astype(np.float32), (bias * share + second[1]).astype(np.float32)
