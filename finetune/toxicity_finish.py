"""From a trained delta to thresholds, metrics and card: scores of the assembled checkpoint."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chatbot.errors import SetupError
from chatbot.safety.calibration import Calibration
from chatbot.safety.checkpoint import assemble
from chatbot.safety.toxicity import CATEGORIES, DetoxifyScorer, ToxicityScorer
from chatbot.safety.toxicity_compiled import CompiledScorer
from chatbot.safety.toxicity_weights import State
from chatbot.types import Side
from finetune.toxicity_aims import balanced, flags, measure
from finetune.toxicity_calibrate import BOT, CUSTOMER, choose
from finetune.toxicity_card import write_card
from finetune.toxicity_data import Row
from finetune.toxicity_figures import BAD, Floats, report
from finetune.toxicity_model import FEATURE_TOKENS, Encoded, head_logits, sentence_states
from finetune.toxicity_rows import sample
from knowledge_base.encoder import EncoderFiles

ASSEMBLED_TOLERANCE = 1e-4
PROBE_TOKENS = 96
PROBES = (
    "Where is my order? It should have come on Monday.",
    "My fucking parcel is late",
    "You are a stupid worthless idiot",
    "I will come to your office and kill you",
    "You can return the jacket within 60 days of delivery [1].",
    "people like them should not be allowed in your shop \U0001f922",
    "x",
)


def finish(
    rows: Sequence[Row], out: Path, encoder: EncoderFiles, training: dict[str, Any]
) -> dict[str, Any]:
    """Thresholds, metrics and card from the scores of the assembled checkpoint."""
    checkpoint = assemble(out / "delta.safetensors", encoder, out.resolve() / "assembled")
    scorer = CompiledScorer(checkpoint, out.resolve() / "compiled")  # as it is served
    parts = {split: sample(rows, split) for split in ("dev", "test")}
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
        "test_aims": measure(parts["test"], scores["test"], calibration),
        "test_balanced": balanced(parts["test"], scores["test"], calibration),
        "test_sides": sides(parts["test"], scores["test"], calibration),
    }
    (out / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n", "utf-8")
    write_card(out / "card.md", metrics, calibration)
    return metrics


def assembled_difference(adapted: Any, state: State, out: Path, encoder: EncoderFiles) -> float:
    """Largest difference between a score in training and of the checkpoint that is served.

    ``adapted`` is the model with LoRA, ``state`` what the delta was written from. Raises
    SetupError above ASSEMBLED_TOLERANCE: thresholds would belong to another model.
    """
    import torch

    checkpoint = assemble(out / "delta.safetensors", encoder, out.resolve() / "assembled")
    served = DetoxifyScorer(checkpoint, views=False).score(PROBES)
    rounded = {name: value.to(torch.float16).float() for name, value in state.items()}
    adapted.load_state_dict(rounded, strict=False)
    encoded = Encoded(encoder.tokenizer(), PROBES, PROBE_TOKENS)
    network = adapted.base_model.model
    states = sentence_states(network, encoded, FEATURE_TOKENS, "check", exact=True)
    trained = 1 / (1 + np.exp(-head_logits(network, states)))
    difference = max(
        abs(float(row[place]) - scores[name])
        for row, scores in zip(trained, served, strict=True)
        for place, name in enumerate(CATEGORIES)
    )
    if difference > ASSEMBLED_TOLERANCE:
        raise SetupError(
            f"the assembled checkpoint {checkpoint} scores up to {difference:.2g} apart from the "
            f"model in training; {ASSEMBLED_TOLERANCE} is allowed; remove {out} and train again"
        )
    return difference


def sides(rows: Sequence[Row], scores: Floats, calibration: Calibration) -> dict[str, Any]:
    """Side -> source -> {"n", "flagged"}: the share of each kind of row that is flagged, with
    rows that are toxic and rows that are not kept apart."""
    found: dict[str, Any] = {}
    for side in Side:
        flagged = flags(scores, calibration, side)
        table: dict[str, dict[str, float]] = {}
        for source in sorted({row.source for row in rows}):
            for name, wanted in (("toxic", True), ("not_toxic", False)):
                mine = [
                    i
                    for i, row in enumerate(rows)
                    if row.source == source and (row.targets[0] >= BAD) is wanted
                ]
                if mine:
                    share = round(float(flagged[mine].mean()), 4)
                    table[f"{source}/{name}"] = {"n": len(mine), "flagged": share}
        found[side.value] = table
    return found


def _scores(scorer: ToxicityScorer, rows: Sequence[Row], shown: str) -> Floats:
    from tqdm import tqdm  # type: ignore[import-untyped]

    out = np.zeros((len(rows), len(CATEGORIES)), dtype=np.float32)
    page = 128
    order = sorted(range(len(rows)), key=lambda i: len(rows[i].text))
    for start in tqdm(range(0, len(rows), page), desc=f"scores of {shown}", unit="page"):
        mine = order[start : start + page]
        for row, found in zip(mine, scorer.score([rows[i].text for i in mine]), strict=True):
            out[row] = [found[name] for name in CATEGORIES]
    return out
