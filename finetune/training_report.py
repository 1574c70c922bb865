"""The page of a training: curves of loss and rate, and what the model answered on the way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finetune.report import Curve, Section, write_report

PAGE = "training.html"
_SHOWN = ("rows", "rows_too_long", "steps", "best_step", "minutes", "loss_first", "loss_last")


def training_report(out: Path) -> Path:
    """Written beside the adapter, from its metrics."""
    metrics = read_metrics(out)
    figures = {name: metrics[name] for name in (*_SHOWN, "dev_loss") if name in metrics}
    about = "Loss on the tokens of the answers; the weights with the lowest dev loss are kept."
    write_report(out / PAGE, out.name, about, figures, [samples(metrics)], curves(metrics))
    return out / PAGE


def read_metrics(adapter: Path) -> dict[str, Any]:
    """Empty for an adapter of another trainer."""
    file = adapter / "metrics.json"
    content: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return content


def curves(metrics: Mapping[str, Any]) -> list[Curve]:
    losses = {"training": metrics.get("losses", []), "dev": metrics.get("dev_losses", [])}
    rates = {"learning rate": metrics.get("learning_rates", [])}
    return [
        Curve("Loss on the answers", "step", _points(losses)),
        Curve("Learning rate", "step", _points(rates)),
    ]


def samples(metrics: Mapping[str, Any]) -> Section:
    """Greedy answers at each evaluation."""
    return Section("Sample answers during training", "", metrics.get("samples", []))


def _points(lines: Mapping[str, Any]) -> dict[str, list[tuple[float, float]]]:
    return {name: [(float(x), float(y)) for x, y in points] for name, points in lines.items()}
