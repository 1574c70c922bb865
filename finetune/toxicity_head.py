"""The classifier alone, fitted again to the project's own rows, and how far each label follows.

A linear correction on the finished encoder's vectors costs seconds. Followed all the way it
forgets the public sets; the mean of both classifiers, in weights and so in logits, is better than
either (measured on dev, label by label), and a label that gains nothing keeps its old row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from chatbot.safety.toxicity_weights import CLASSES
from finetune.toxicity_calibrate import BOT, CUSTOMER, choose
from finetune.toxicity_data import Row, matrix
from finetune.toxicity_figures import HEADLINE, Floats, report
from finetune.toxicity_own import OWN
from finetune.toxicity_recipe import Recipe

AUC_PRICE = 10.0
"""What an area of 1 on the public sets is worth, in missed abuse: 0.01 less of it has to buy a
tenth more of the abuse found."""
Head = tuple[Floats, Floats]
"""Weights (6, 384) and biases (6,)."""


def refit(
    start: Head, pooled: Floats, rows: Sequence[Row], dev: Floats, dev_rows: Sequence[Row],
    recipe: Recipe,
) -> tuple[Head, dict[str, float]]:  # fmt: skip
    """The classifier that judges dev best, and per label its share of the way to the refit.

    ``pooled`` and ``dev`` are pooler outputs (rows, 384). Labels are decided one after the other.
    """
    full = _fit(start, pooled, rows, recipe)
    shares = np.zeros(len(CLASSES), dtype=np.float32)
    best = _price(start, dev, dev_rows)
    for label in range(len(CLASSES)):
        for share in recipe.refit_shares:
            tried = shares.copy()
            tried[label] = share
            price = _price(_between(start, full, tried), dev, dev_rows)
            if price < best:
                best, shares = price, tried
    return _between(start, full, shares), dict(zip(CLASSES, map(float, shares), strict=True))


def _between(start: Head, end: Head, shares: Floats) -> Head:
    (weights, biases), (new_weights, new_biases) = start, end
    return (
        weights + shares[:, None] * (new_weights - weights),
        biases + shares * (new_biases - biases),
    )


def _price(head: Head, dev: Floats, rows: Sequence[Row]) -> float:
    """Prices of both sides at their best thresholds, less what the areas are worth."""
    logits = dev @ head[0].T + head[1]
    scores = (1 / (1 + np.exp(-logits))).astype(np.float32)
    total = 0.0
    for cost in (CUSTOMER, BOT):
        trade = choose(rows, scores, cost)[1]
        total += float(str(trade["price"]))
    return total - AUC_PRICE * _public(report(rows, logits, "dev"))


def _public(figures: Mapping[str, Mapping[str, float]]) -> float:
    """Mean area on sets of others: of `toxic`, and of all labels on jigsaw."""
    foreign = [name for name in HEADLINE if not f"{name}_".startswith(OWN)]
    areas = [figures[name]["toxic"] for name in foreign if "toxic" in figures.get(name, {})]
    areas += [value for label, value in figures.get("jigsaw", {}).items() if label in CLASSES]
    return float(np.mean(areas)) if areas else 0.0


def _fit(start: Head, pooled: Floats, rows: Sequence[Row], recipe: Recipe) -> Head:
    """Logistic regression held near ``start`` by an L2 penalty; full-batch L-BFGS.

    ``start`` is also the teacher of the public rows and of labels that a row does not have.
    """
    import torch

    values, row_weights = matrix(rows)
    known = ~np.isnan(values)
    opinion = 1 / (1 + np.exp(-(pooled @ start[0].T + start[1])))
    own = np.array([row.source.startswith(OWN) for row in rows])
    share = np.where(own, 0.0, recipe.refit_teacher_share)[:, None]
    targets = np.where(known, (1 - share) * np.nan_to_num(values) + share * opinion, opinion)
    matters = np.where(known, 1.0, recipe.missing_weight) * row_weights[:, None]
    inputs = torch.tensor(pooled)
    wanted = torch.tensor(targets, dtype=torch.float32)
    importance = torch.tensor(matters / matters.sum(0, keepdims=True), dtype=torch.float32)
    origin = torch.tensor(start[0])
    weights = origin.clone().requires_grad_(True)
    biases = torch.tensor(start[1]).requires_grad_(True)
    optimizer = torch.optim.LBFGS([weights, biases], max_iter=80, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        losses = torch.nn.functional.binary_cross_entropy_with_logits(
            inputs @ weights.T + biases, wanted, reduction="none"
        )
        loss = (losses * importance).sum() + recipe.refit_l2 * (weights - origin).square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return weights.detach().numpy(), biases.detach().numpy()
