"""Temperatures and thresholds from the dev split, and the figures that go with them.

The sets are enriched with abuse and differ in size a thousandfold, so that nothing here counts
rows as they come: each group of rows has the share of the traffic that it stands for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from chatbot.safety.toxicity import CATEGORIES
from chatbot.safety.toxicity_weights import CLASSES
from finetune.toxicity_data import Row, matrix

Floats = NDArray[np.float32]
BAD, GOOD = 0.5, 0.25
"""A fraction of annotators from 0.5 up counts as yes, up to 0.25 as no; between them, neither."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a side pays. ``false_flag`` is in units of one missed abuse."""

    false_flag: float
    limit: float
    """Share of legitimate text that may be flagged at most; above it the price is tenfold."""
    categories: tuple[str, ...]
    good: Mapping[str, float]
    """Prefix of a source -> its share of the legitimate traffic of this side."""
    bad: Mapping[str, float]


# A customer's profanity is tone: `obscene` never flags there.
CUSTOMER = Cost(
    false_flag=60.0,
    limit=0.001,
    categories=("toxicity", "severe_toxicity", "threat", "insult", "identity_attack"),
    good={
        "support_": 0.3,
        "legit": 0.4,
        "attitude_": 0.15,
        "tone_": 0.05,
        "contrast_support_": 0.05,
        "contrast_": 0.05,
    },
    bad={
        "contrast_support_agent_abuse": 0.15,
        "contrast_threats": 0.15,
        "attitude_agent_abuse": 0.15,
        "attitude_threat": 0.15,
        "tone_": 0.3,
        "contrast_": 0.1,
    },
)
# What a bot drafts is mostly a sentence of an article; holding a right answer makes a customer
# wait for nothing, several sentences an answer.
BOT = Cost(
    false_flag=10.0,
    limit=0.003,
    categories=CATEGORIES,
    good={"article": 0.75, "contrast_bot_side_ok": 0.15, "contrast_support_": 0.1},
    bad={"contrast_": 0.45, "hatemoji": 0.25, "jigsaw": 0.15, "attitude_": 0.1, "davidson": 0.05},
)
GRID = np.round(np.concatenate([np.arange(0.05, 0.96, 0.02), np.arange(0.96, 1.0, 0.005)]), 4)
NEVER = 1.01


def row_weights(rows: Sequence[Row], shares: Mapping[str, float]) -> NDArray[np.float64]:
    """Weights of shape (rows,): each row goes to its longest prefix, which shares its mass."""
    prefixes = sorted(shares, key=len, reverse=True)
    owner = [next((p for p in prefixes if row.source.startswith(p)), "") for row in rows]
    weights = np.zeros(len(rows))
    for prefix, share in shares.items():
        mine = np.array([o == prefix for o in owner], dtype=bool)
        if mine.any():
            weights[mine] = share / mine.sum()
    normalised: NDArray[np.float64] = weights / max(float(weights.sum()), 1e-12)
    return normalised


def choose(
    rows: Sequence[Row], scores: Floats, cost: Cost
) -> tuple[dict[str, float], dict[str, object]]:
    """Thresholds by category and what they trade, by coordinate descent on the stated cost.

    ``scores`` has shape (rows, 6) in the order of CATEGORIES. A row is bad for the customer side
    when it is toxic beyond profanity, so that obscene alone is never counted.
    """
    values, _ = matrix(rows)
    toxic = values[:, 0]
    is_bad, is_good = toxic >= BAD, toxic <= GOOD
    bad = [row for row, chosen in zip(rows, is_bad, strict=True) if chosen]
    good = [row for row, chosen in zip(rows, is_good, strict=True) if chosen]
    bad_scores, good_scores = scores[is_bad], scores[is_good]
    bad_weights, good_weights = row_weights(bad, cost.bad), row_weights(good, cost.good)
    columns = [CATEGORIES.index(name) for name in cost.categories]

    def price(thresholds: Sequence[float]) -> tuple[float, float, float]:
        limits = np.array(thresholds)
        missed = float(bad_weights @ ~(bad_scores[:, columns] >= limits).any(1))
        flagged = float(good_weights @ (good_scores[:, columns] >= limits).any(1))
        above = max(0.0, flagged - cost.limit)
        return missed + cost.false_flag * (flagged + 10 * above), missed, flagged

    best: list[float] = [NEVER] * len(columns)
    for start in ([NEVER] * len(columns), [0.9] * len(columns), [0.6] * len(columns)):
        current = list(start)
        for _ in range(6):
            before = list(current)
            for place in range(len(columns)):
                options = [[*current[:place], g, *current[place + 1 :]] for g in (*GRID, NEVER)]
                current = min(options, key=lambda option: price(option)[0])
            if current == before:
                break
        best = min(best, current, key=lambda option: price(option)[0])
    total, missed, flagged = price(best)
    thresholds = {
        name: float(value)
        for name, value in zip(cost.categories, best, strict=True)
        if value <= 1.0
    }
    curve = []
    for value in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95):
        _, miss, flag = price([value] * len(columns))
        curve.append({"all_at": value, "missed": round(miss, 4), "flagged": round(flag, 5)})
    trade = {
        "cost": {k: (dict(v) if isinstance(v, Mapping) else v) for k, v in asdict(cost).items()},
        "price": round(total, 4),
        "abuse_missed": round(missed, 4),
        "legitimate_flagged": round(flagged, 5),
        "dev_rows": {"bad": len(bad), "good": len(good)},
        "curve": curve,
    }
    return thresholds, trade


def platt(logits: Floats, rows: Sequence[Row]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scale and shift per label (6,), (6,) that make sigmoids match dev targets.

    Sets count alike whatever their size. A label with fewer than 30 positive rows keeps its scale.
    """
    import torch

    values, _ = matrix(rows)
    sources = np.array([row.source for row in rows])
    weights = np.zeros(len(rows))
    for source in set(sources):
        mine = sources == source
        weights[mine] = 1 / np.sqrt(mine.sum())
    scales, shifts = np.ones(len(CLASSES)), np.zeros(len(CLASSES))
    for label in range(len(CLASSES)):
        known = ~np.isnan(values[:, label])
        if (values[known, label] >= BAD).sum() < 30:
            continue
        inputs = torch.tensor(logits[known, label], dtype=torch.float64)
        wanted = torch.tensor(values[known, label], dtype=torch.float64)
        mass = torch.tensor(weights[known] / weights[known].sum())
        pair = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.LBFGS([pair], max_iter=60, line_search_fn="strong_wolfe")

        def closure(
            pair: torch.Tensor = pair,
            inputs: torch.Tensor = inputs,
            wanted: torch.Tensor = wanted,
            mass: torch.Tensor = mass,
            optimizer: torch.optim.LBFGS = optimizer,
        ) -> torch.Tensor:
            optimizer.zero_grad()
            losses = torch.nn.functional.binary_cross_entropy_with_logits(
                pair[0] * inputs + pair[1], wanted, reduction="none"
            )
            loss = (losses * mass).sum()
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        optimizer.step(closure)  # type: ignore[no-untyped-call]
        scales[label], shifts[label] = pair.detach().numpy()
    return np.clip(scales, 0.3, 3.0), shifts


def auc(wanted: NDArray[np.bool_], scores: Floats) -> float | None:
    """Area under the ROC curve, None where a class has fewer than three rows."""
    from sklearn.metrics import roc_auc_score

    if wanted.sum() < 3 or (~wanted).sum() < 3:
        return None
    return float(roc_auc_score(wanted, scores))


def report(rows: Sequence[Row], scores: Floats, split: str) -> dict[str, dict[str, float]]:
    """Set -> {"n", label: AUC}, of one split; contrast groups both apart and together."""
    values, _ = matrix(rows)
    found: dict[str, dict[str, float]] = {}
    names = [row.source for row in rows]
    groups = sorted({*names, *(n.split("_")[0] for n in names)})
    for group in groups:
        mine = np.array(
            [
                row.split == split and (row.source == group or row.source.split("_")[0] == group)
                for row in rows
            ],
            dtype=bool,
        )
        figures: dict[str, float] = {}
        for label, name in enumerate(CLASSES):
            target = values[:, label]
            sure = mine & ((target >= BAD) | (target <= GOOD))
            area = auc(target[sure] >= BAD, scores[sure, label])
            if area is not None:
                figures[name] = round(area, 4)
        if figures:
            found[group] = {"n": int(mine.sum()), **figures}
    return found


def headline(report_: Mapping[str, Mapping[str, float]]) -> float:
    """Mean over the sets of the AUC of `toxic`, and the mean of six on jigsaw: one number."""
    sets = [
        report_[name]["toxic"]
        for name in ("jigsaw", "civil", "paradetox", "davidson", "hatemoji", "contrast", "attitude")
        if "toxic" in report_.get(name, {})
    ]
    six = [v for k, v in report_.get("jigsaw", {}).items() if k in CLASSES]
    return float(np.mean([*sets, np.mean(six)])) if six else float(np.mean(sets))
