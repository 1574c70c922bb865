"""From a trained delta to thresholds, metrics and card: scores of the assembled checkpoint."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chatbot.safety.calibration import Calibration
from chatbot.safety.checkpoint import assemble
from chatbot.safety.toxicity import CATEGORIES, MAX_CHARS, DetoxifyScorer
from chatbot.types import Side
from finetune.toxicity_calibrate import BOT, CUSTOMER, Floats, choose, report
from finetune.toxicity_card import write_card
from finetune.toxicity_data import Row
from knowledge_base.encoder import EncoderFiles

SMALL_SETS = ("contrast_", "attitude_", "legit", "tone_", "article", "hatemoji")
SCORED_ROWS = 3800  # of dev and of test, for thresholds: through the real scorer, views and all


def finish(
    rows: Sequence[Row], out: Path, encoder: EncoderFiles, training: dict[str, Any]
) -> dict[str, Any]:
    """Thresholds, metrics and card from the scores of the assembled checkpoint."""
    checkpoint = assemble(out / "delta.safetensors", encoder, out.resolve() / "assembled")
    scorer = DetoxifyScorer(checkpoint)
    parts = {split: _sample(rows, split) for split in ("dev", "test")}
    scores = {split: _scores(scorer, part, split) for split, part in parts.items()}
    thresholds, trade_off = {}, {}
    for side, cost in ((Side.CUSTOMER, CUSTOMER), (Side.BOT, BOT)):
        thresholds[side], trade_off[side.value] = choose(parts["dev"], scores["dev"], cost)
    calibration = Calibration(thresholds, checkpoint.parent.name, trade_off)
    (out / "calibration.json").write_text(
        json.dumps(calibration.document(), indent=1) + "\n", "utf-8"
    )
    metrics = {
        "training": training,
        "thresholds": {side.value: thresholds[side] for side in Side},
        "dev": report(parts["dev"], scores["dev"], "dev"),
        "test": report(parts["test"], scores["test"], "test"),
        "test_sides": sides(parts["test"], scores["test"], calibration),
    }
    (out / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n", "utf-8")
    write_card(out / "card.md", metrics, calibration)
    return metrics


def sides(rows: Sequence[Row], scores: Floats, calibration: Calibration) -> dict[str, Any]:
    """Side -> source -> {"n", "flagged"}: the share of each kind of row that is flagged, with
    rows that are toxic and rows that are not kept apart."""
    found: dict[str, Any] = {}
    for side in Side:
        limits = np.array([calibration.threshold(side, c) or 2.0 for c in CATEGORIES])
        flagged = np.asarray((scores >= limits).any(1))
        table: dict[str, dict[str, float]] = {}
        for source in sorted({row.source for row in rows}):
            for name, wanted in (("toxic", True), ("not_toxic", False)):
                mine = [
                    i
                    for i, row in enumerate(rows)
                    if row.source == source and (row.targets[0] >= 0.5) is wanted
                ]
                if mine:
                    share = round(float(flagged[mine].mean()), 4)
                    table[f"{source}/{name}"] = {"n": len(mine), "flagged": share}
        found[side.value] = table
    return found


def _sample(rows: Sequence[Row], split: str) -> list[Row]:
    """At most SCORED_ROWS rows of a split: all of the small sets, every n-th of the large."""
    mine = [row for row in rows if row.split == split and len(row.text) <= MAX_CHARS]
    small = [r for r in mine if r.source.startswith(SMALL_SETS)]
    large = [r for r in mine if not r.source.startswith(SMALL_SETS)]
    step = max(1, len(large) // max(1, SCORED_ROWS - len(small)))
    return small + large[::step]


def _scores(scorer: DetoxifyScorer, rows: Sequence[Row], shown: str) -> Floats:
    from tqdm import tqdm  # type: ignore[import-untyped]

    out = np.zeros((len(rows), len(CATEGORIES)), dtype=np.float32)
    page = 128
    order = sorted(range(len(rows)), key=lambda i: len(rows[i].text))
    for start in tqdm(range(0, len(rows), page), desc=f"scores of {shown}", unit="page"):
        mine = order[start : start + page]
        for row, found in zip(mine, scorer.score([rows[i].text for i in mine]), strict=True):
            out[row] = [found[name] for name in CATEGORIES]
    return out
