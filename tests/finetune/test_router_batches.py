from __future__ import annotations

import random

import numpy as np

from chatbot.tokens import Tokens
from finetune.router_batches import Labels, epoch
from finetune.router_data import RouterRow
from finetune.router_folds import folds_of
from knowledge_base.encoder import EncoderFiles

ROWS = [RouterRow(n, "word " * (1 + n % 10), ("a" if n % 2 else "b",)) for n in range(200)]
LABELS = Labels(("a", "b"), learned_scope=False, entities=(), multi_label=False)


def test_an_epoch_holds_every_row_once_in_batches_of_like_length() -> None:
    batches = list(
        epoch(ROWS, LABELS, Tokens(EncoderFiles()), size=10, noise=0.0, rng=random.Random(0))
    )
    assert sum(len(b.intents) for b in batches) == len(ROWS)
    real = sum(int(b.mask.sum()) for b in batches)
    assert real > 0.9 * sum(b.mask.numel() for b in batches)
    widths = [b.mask.shape[1] for b in batches]
    assert widths != sorted(widths), "the batches are not in the order of their length"


def test_folds_hold_out_every_row_once_and_spread_each_label() -> None:
    labels = np.array([0] * 12 + [1] * 5 + [2])
    folds = list(folds_of(labels, seed=0))
    assert sorted(place for _, held in folds for place in held) == list(range(len(labels)))
    for train, held in folds:
        assert not set(train) & set(held)
        assert set(labels[train]) >= {0, 1}
