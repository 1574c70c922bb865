"""A router calibrated again on other dev rows: confidence, threshold, bands; the weights stay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from chatbot.errors import BadInput
from chatbot.routing import artifact
from chatbot.routing.model import RouterModel
from finetune.router import needs_extra, predict_rows
from finetune.router_calibrate import calibrate
from finetune.router_card import with_figures
from finetune.router_checks import check_known
from finetune.router_data import read_rows
from finetune.router_metrics import measure
from finetune.router_report import report_page
from knowledge_base.encoder import EncoderFiles


def recalibrate_router(directory: Path, dev_file: Path, reject_share: float) -> dict[str, Any]:
    """Replaces the router's manifest, figures and report, all or nothing; returns the figures.

    Raises SetupError without a router there, BadInput for rows that do not fit it.
    """
    needs_extra()
    manifest = artifact.read_manifest(directory)
    data = read_rows(dev_file, judge_spans=False)
    check_known(dev_file, data, manifest.intents, manifest.entity_labels)
    if all(row.out_of_scope for row in data.rows):
        raise BadInput(f"{dev_file}: every row is out of scope; calibration needs others too")
    model = RouterModel.load(directory, EncoderFiles(manifest.encoder))
    outputs = model.outputs([row.text for row in data.rows])
    found = calibrate(
        outputs.logits,
        outputs.similarity(model.index),
        data.rows,
        model.index,
        multi_label=manifest.multi_label,
        learned_scope=manifest.learned_scope,
        reject_share=reject_share,
    )
    fresh = manifest.model_copy(
        update={
            "temperature": found.confidence.temperature,
            "shift": found.confidence.shift,
            "neighbour_share": found.confidence.neighbour_share,
            "scope": found.scope,
            "bands": found.bands,
        }
    )
    known = json.loads((directory / "metrics.json").read_text(encoding="utf-8"))
    metrics: dict[str, Any] = {"frozen_accuracy": None, "notes": []} | known
    metrics |= {"scope_trade_off": found.curve, "dev_rows": len(data.rows)}
    card = (directory / "card.md").read_text(encoding="utf-8")

    def documents(folder: Path) -> dict[str, str]:
        served = RouterModel.load(folder, EncoderFiles(manifest.encoder))
        predictions = predict_rows(served, data.rows)
        figures = measure(data.rows, predictions, multi_label=manifest.multi_label)
        metrics["dev"] = figures | {"ece_cross_fitted": found.ece}
        page = report_page(data.rows, predictions, metrics, multi_label=manifest.multi_label)
        return {
            "report.html": page,
            "metrics.json": json.dumps(metrics, indent=1, ensure_ascii=False) + "\n",
            "card.md": with_figures(card, fresh, metrics, dev_file.name),
        }

    names = [artifact.HEADS, artifact.INDEX]
    names += [artifact.ADAPTER] if manifest.lora_rank else []
    tensors = {name: load_file(directory / name) for name in names}
    artifact.write_router(directory, fresh, tensors, model.index.examples, documents)
    return metrics
