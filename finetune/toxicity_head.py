"""The head on the encoder's finished states: minutes where LoRA takes an hour.

The layer that pools has a feed-forward part, which adds nothing as the checkpoint is assembled
(its weights are zero). Trained, it makes the head a network with a hidden layer, inside Detoxify's
own format and at no cost in serving.

The project's own rows teach it; on public rows it is only held to the logits it is given (squared
error), so that what it learns about a desk costs little of what it knew about strangers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from finetune.toxicity_data import Row
from finetune.toxicity_model import FEATURE_TOKENS, Encoded, Floats, pooled, sentence_states
from finetune.toxicity_recipe import Recipe
from finetune.toxicity_train import is_own, wanted

STEP_ROWS = 256
WARMUP_STEPS = 40
START = 0.05  # standard deviation of the inner weights; the outer start at zero
POOLER_SHARE, CLASSIFIER_SHARE = 0.1, 0.3  # of the learning rate: these know something already


def cached_states(path: Path, model: Any, encoded: Encoded) -> Floats:
    """Sentence states (rows, 384); kept by text, so that new rows alone are computed again."""
    keys = np.array([hashlib.sha256(repr(ids).encode()).hexdigest()[:24] for ids in encoded.ids])
    states = np.zeros((len(encoded.ids), model.config.hidden_size), dtype=np.float32)
    todo = list(range(len(encoded.ids)))
    if path.exists():
        with np.load(path) as cache:
            place = {str(key): i for i, key in enumerate(cache["keys"])}
            vectors = cache["vectors"]
        found = [i for i in todo if keys[i] in place]
        states[found] = vectors[[place[keys[i]] for i in found]]
        todo = [i for i in todo if keys[i] not in place]
    if todo:
        states[todo] = sentence_states(model, encoded.subset(todo), FEATURE_TOKENS, path.stem)
        partial = path.with_name(f"{path.stem}.partial.npz")
        np.savez(partial, keys=keys, vectors=states)
        partial.replace(path)
    return states


def train_head(
    model: Any, states: Floats, rows: Sequence[Row], teacher: Floats, recipe: Recipe
) -> None:
    """Trains feed-forward part, pooler and classifier in place on ``states`` (rows, 384).

    Goes ``recipe.head_share`` of the way, in weights (WiSE-FT, as in ``blend``).
    """
    import torch

    torch.manual_seed(recipe.seed)
    last = model.bert.encoder.layer[-1]
    inner, outer = last.intermediate.dense, last.output.dense
    if not inner.weight.any():
        torch.nn.init.normal_(inner.weight, 0.0, START)
    rates = (
        (inner, 1.0),
        (outer, 1.0),
        (model.bert.pooler.dense, POOLER_SHARE),
        (model.classifier, CLASSIFIER_SHARE),
    )
    groups: list[dict[str, Any]] = []
    for module, share in rates:
        for parameter in module.parameters():
            parameter.requires_grad = True
        groups.append(
            {"params": list(module.parameters()), "lr": share * recipe.head_learning_rate}
        )
    optimizer = torch.optim.AdamW(groups, weight_decay=recipe.weight_decay)
    steps = recipe.head_epochs * -(-len(rows) // STEP_ROWS)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / WARMUP_STEPS, max(0.02, 1 - step / steps))
    )
    own = torch.tensor([is_own(row) for row in rows])
    targets, importance = wanted(rows, teacher, replace(recipe, public_weight=0.0))
    label_weights = torch.tensor(recipe.label_weights)
    inputs, held = torch.tensor(states), torch.tensor(teacher)
    learned = [parameter for group in groups for parameter in group["params"]]
    before = [parameter.detach().clone() for parameter in learned]
    order = np.random.default_rng(recipe.seed)
    for _ in range(recipe.head_epochs):
        shuffled = order.permutation(len(rows))
        for start in range(0, len(rows), STEP_ROWS):
            batch = torch.tensor(shuffled[start : start + STEP_ROWS])
            logits = model.classifier(pooled(model, inputs[batch], recipe.head_dropout))
            losses = torch.nn.functional.binary_cross_entropy_with_logits(
                logits, targets[batch], reduction="none"
            )
            strayed = ((logits - held[batch]).square() * label_weights).mean(1)[~own[batch]]
            loss = (losses * importance[batch]).mean() + recipe.hold * strayed.sum() / len(batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        for parameter, old in zip(learned, before, strict=True):
            parameter.copy_(old + recipe.head_share * (parameter - old))
