"""``python -m finetune evaluate toxicity``: figures of a checkpoint on a labelled file."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from chatbot.errors import SetupError
from chatbot.safety.calibration import Calibration
from chatbot.safety.checkpoint import CHECKPOINT, assemble, check_document
from chatbot.safety.moderation import Moderator
from chatbot.safety.toxicity import (
    CATEGORIES,
    MAX_CHARS,
    DetoxifyScorer,
    ToxicityScorer,
    WindowedScorer,
)
from chatbot.safety.toxicity_weights import CLASSES
from chatbot.settings import load_settings
from chatbot.types import Side
from finetune.toxicity_figures import Floats, auc
from finetune.toxicity_own import read_labelled
from knowledge_base.encoder import EncoderFiles

PAGE = 128
DECISION = 0.5  # a label given as a fraction of annotators counts as yes from here up


def evaluate_toxicity(
    data: Path,
    scorer: ToxicityScorer,
    calibration: Calibration,
    scores_out: Path | None = None,
) -> dict[str, Any]:
    """Figures on JSONL rows with ``text`` and ``label`` (0/1) or the six Jigsaw names.

    ``balanced_accuracy`` is that of the bot side's verdict. AUCs are None where a label has
    one class only; ``mean_roc_auc`` is the mean of those that exist. Text beyond MAX_CHARS is
    read up to there, and ``cut`` says how many rows that were. Raises SetupError for a bad file.
    """
    rows = read_labelled(data)
    if not rows:
        raise SetupError(f"{data} has no rows; a line is a JSON object with text and label")
    scores = score_rows(scorer, [text for text, _ in rows])
    wanted = np.array([values for _, values in rows], dtype=np.float32)
    by_label: dict[str, float] = {}
    for column, name in enumerate(CLASSES):
        known = ~np.isnan(wanted[:, column])
        area = auc(wanted[known, column] >= DECISION, scores[known, column])
        if area is not None:
            by_label[name] = round(area, 5)
    moderator = Moderator(scorer, calibration)
    flagged = np.array(
        [
            moderator.judge(dict(zip(CATEGORIES, map(float, line), strict=True)), Side.BOT).flagged
            for line in scores
        ]
    )
    if scores_out is not None:
        _write_scores(scores_out, rows, scores, flagged)
    known = ~np.isnan(wanted[:, 0])
    return {
        "roc_auc": by_label.get("toxic"),
        "roc_auc_by_label": by_label,
        "mean_roc_auc": round(float(np.mean(list(by_label.values()))), 5) if by_label else None,
        "balanced_accuracy": balanced_accuracy(wanted[known, 0] >= DECISION, flagged[known]),
        "n": len(rows),
        "cut": sum(len(text) > MAX_CHARS for text, _ in rows),
    }


def score_rows(scorer: ToxicityScorer, texts: Sequence[str]) -> Floats:
    """Scores of shape (texts, 6) in the order of CATEGORIES, with a progress bar on stderr."""
    from tqdm import tqdm  # type: ignore[import-untyped]

    out = np.zeros((len(texts), len(CATEGORIES)), dtype=np.float32)
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    for start in tqdm(range(0, len(order), PAGE), desc="score", unit="page", disable=None):
        mine = order[start : start + PAGE]
        found = scorer.score([texts[i][:MAX_CHARS] for i in mine])
        for row, scores in zip(mine, found, strict=True):
            out[row] = [scores[name] for name in CATEGORIES]
    return out


def balanced_accuracy(wanted: Any, flagged: Any) -> float | None:
    """Mean of recall on both classes, None where one is absent."""
    if not wanted.any() or wanted.all():
        return None
    return round(float((flagged[wanted].mean() + (~flagged[~wanted]).mean()) / 2), 5)


def load_evaluated(model: Path | None, views: bool = True) -> tuple[WindowedScorer, Calibration]:
    """Scorer and calibration of a folder that ``finetune toxicity --out`` wrote, of a folder
    with a model.ckpt, of a checkpoint file, or, for None, of the settings."""
    from chatbot.safety.toxicity_choice import load_scorer

    if model is None:
        return load_scorer(load_settings()), Calibration.load()
    if (model / "delta.safetensors").exists():
        root = model.resolve() / "assembled"
        checkpoint = assemble(model / "delta.safetensors", EncoderFiles(), root)
        return DetoxifyScorer(checkpoint, views=views), Calibration.load(model / "calibration.json")
    checkpoint = model / CHECKPOINT if model.is_dir() else model
    if not checkpoint.is_file():
        raise SetupError(f"{model} holds neither delta.safetensors nor {CHECKPOINT}")
    check_document(checkpoint)
    return DetoxifyScorer(checkpoint, views=views), Calibration.load()


def evaluate_toxicity_command(
    data: Annotated[Path, typer.Option(help="JSONL: text and label, or the six Jigsaw names.")],
    model: Annotated[
        Path | None, typer.Option(help="Result folder; default: the settings.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    scores: Annotated[Path | None, typer.Option(help="Write each row's scores here.")] = None,
) -> None:
    """Judge the toxicity checkpoint on a labelled file."""
    scorer, calibration = load_evaluated(model)
    figures = evaluate_toxicity(data, scorer, calibration, scores)
    if as_json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name}: {value}")


def _write_scores(
    path: Path, rows: Sequence[tuple[str, tuple[float, ...]]], scores: Floats, flagged: Any
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for (text, values), line, flag in zip(rows, scores, flagged, strict=True):
            named = zip(CLASSES, values, strict=True)
            row = {
                "text": text,
                "labels": {name: value for name, value in named if not math.isnan(value)},
                "scores": {
                    name: round(float(v), 6) for name, v in zip(CATEGORIES, line, strict=True)
                },
                "flagged_bot": bool(flag),
            }
            file.write(json.dumps(row) + "\n")
