"""Temperatures and thresholds from the dev split, and what they cost.

The sets are enriched with abuse and differ in size a thousandfold, so that nothing here counts
rows as they come: each group of rows has the share of the traffic that it stands for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chatbot.safety.toxicity import CATEGORIES
from chatbot.safety.toxicity_weights import CLASSES
from finetune.toxicity_data import Row, matrix
from finetune.toxicity_figures import BAD, GOOD, Floats


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
    profanity: bool
    """Whether strong swear words count as bad whoever they are aimed at."""
    lookalike: Mapping[str, float] = field(default_factory=dict)
    """Prefix of a source -> its share of what is harmless and looks like abuse (a group named in
    passing, hate quoted to object to it). Rare in the traffic, so that it is priced apart."""
    lookalike_flag: float = 0.0
    """Price of flagging one of these, in units of one missed abuse."""


class Price(NamedTuple):
    """What thresholds cost in all, and the shares it comes from."""

    total: float
    missed: float
    flagged: float
    alike: float


# A customer's profanity is tone: `obscene` never flags there. Most of the legitimate traffic is
# ordinary; a quarter of it is written to be mistaken for abuse, far more than of real messages.
CUSTOMER = Cost(
    false_flag=60.0,
    limit=0.001,
    categories=("toxicity", "severe_toxicity", "threat", "insult", "identity_attack"),
    good={
        "support_": 0.45,
        "legit": 0.3,
        "desk_": 0.1,
        "attitude_": 0.08,
        "tone_": 0.04,
        "contrast_": 0.03,
    },
    bad={
        "desk_abuse": 0.25,
        "desk_threat": 0.25,
        "desk_identity": 0.08,
        "desk_sexual": 0.07,
        "attitude_agent_abuse": 0.08,
        "attitude_threat": 0.07,
        "tone_": 0.15,
        "contrast_support_agent_abuse": 0.03,
        "contrast_threats": 0.02,
    },
    profanity=False,
)
# What a bot drafts is mostly a sentence of an article; holding a right answer makes a customer
# wait for nothing, several sentences an answer.
BOT = Cost(
    false_flag=10.0,
    limit=0.003,
    categories=CATEGORIES,
    good={"article": 0.75, "bot_": 0.2, "contrast_bot_side_ok": 0.05},
    bad={
        "bot_": 0.35,
        "group_": 0.15,
        "contrast_": 0.15,
        "hatemoji": 0.15,
        "jigsaw": 0.1,
        "attitude_": 0.05,
        "davidson": 0.05,
    },
    profanity=True,
    lookalike={"group_": 0.5, "contrast_": 0.3, "hatemoji": 0.2},
    lookalike_flag=0.5,
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

    ``scores`` has shape (rows, 6) in the order of CATEGORIES.
    """
    values, _ = matrix(rows)
    toxic, obscene = values[:, 0], values[:, CLASSES.index("obscene")]
    is_bad = (toxic >= BAD) | (cost.profanity & (obscene >= BAD))
    is_good = (toxic <= GOOD) & ~is_bad
    bad = [row for row, chosen in zip(rows, is_bad, strict=True) if chosen]
    good = [row for row, chosen in zip(rows, is_good, strict=True) if chosen]
    bad_scores, good_scores = scores[is_bad], scores[is_good]
    bad_weights, good_weights = row_weights(bad, cost.bad), row_weights(good, cost.good)
    like_weights = row_weights(good, cost.lookalike)
    columns = [CATEGORIES.index(name) for name in cost.categories]

    def price(thresholds: Sequence[float]) -> Price:
        limits = np.array(thresholds)
        missed = float(bad_weights @ ~(bad_scores[:, columns] >= limits).any(1))
        wrong = (good_scores[:, columns] >= limits).any(1)
        flagged, alike = float(good_weights @ wrong), float(like_weights @ wrong)
        above = max(0.0, flagged - cost.limit)
        paid = cost.false_flag * (flagged + 10 * above) + cost.lookalike_flag * alike
        return Price(missed + paid, missed, flagged, alike)

    best: list[float] = [NEVER] * len(columns)
    for start in ([NEVER] * len(columns), [0.9] * len(columns), [0.6] * len(columns)):
        current = list(start)
        for _ in range(6):
            before = list(current)
            for place in range(len(columns)):
                options = [[*current[:place], g, *current[place + 1 :]] for g in (*GRID, NEVER)]
                current = min(options, key=lambda option: price(option).total)
            if current == before:
                break
        best = min(best, current, key=lambda option: price(option).total)
    found = price(best)
    thresholds = {
        name: float(value)
        for name, value in zip(cost.categories, best, strict=True)
        if value <= 1.0
    }
    curve = []
    for value in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95):
        all_at = price([value] * len(columns))
        curve.append(
            {
                "all_at": value,
                "missed": round(all_at.missed, 4),
                "flagged": round(all_at.flagged, 5),
            }
        )
    trade = {
        "cost": {k: (dict(v) if isinstance(v, Mapping) else v) for k, v in asdict(cost).items()},
        "price": round(found.total, 4),
        "abuse_missed": round(found.missed, 4),
        "legitimate_flagged": round(found.flagged, 5),
        "lookalikes_flagged": round(found.alike, 4),
        "dev_rows": {"bad": len(bad), "good": len(good)},
        "by_category": {
            name: _worth(price, list(best), place)
            for place, name in enumerate(cost.categories)
            if name in thresholds
        },
        "curve": curve,
    }
    return thresholds, trade


def _worth(
    price: Callable[[Sequence[float]], Price], best: list[float], place: int
) -> dict[str, float]:
    """What one threshold does alone, and what the side would miss and flag without it."""
    alone = [value if i == place else NEVER for i, value in enumerate(best)]
    without = [NEVER if i == place else value for i, value in enumerate(best)]
    by_it, by_others = price(alone), price(without)
    return {
        "threshold": best[place],
        "found_alone": round(1 - by_it.missed, 4),
        "flagged_alone": round(by_it.flagged, 5),
        "missed_without": round(by_others.missed, 4),
        "flagged_without": round(by_others.flagged, 5),
    }


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
