"""The router, from labelled rows to a folder that serves: train, calibrate, measure, write."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from chatbot.errors import BadInput, SetupError
from chatbot.routing import artifact
from chatbot.routing.model import RouterModel
from chatbot.tokens import Tokens
from chatbot.types import Prediction
from finetune.router_batches import Labels
from finetune.router_card import model_card
from finetune.router_checks import check_known, check_training
from finetune.router_config import RouterConfig
from finetune.router_data import (
    RouterData,
    RouterRow,
    parse_rows,
    read_rows,
)
from finetune.router_export import labelled_records
from finetune.router_frozen import is_few_shot
from finetune.router_learn import learn_adapter, learn_frozen
from finetune.router_metrics import measure
from finetune.router_report import report_page
from finetune.router_train import Report
from knowledge_base.encoder import EncoderFiles

ENTITIES_ALONE = "message"  # the one intent of a router trained on entities without intents
PREDICT_ROWS = 256  # rows a call while measuring: bounds memory


def train_router(config: RouterConfig, report: Report = print) -> dict[str, Any]:
    """Trains and writes ``config.out``; returns what ``metrics.json`` holds.

    Raises BadInput for rows that cannot be used, before anything is trained or written.
    """
    needs_extra()
    from peft import get_peft_model_state_dict

    data = read_rows(config.train, skip_bad_rows=config.skip_bad_rows)
    check_training(config.train, data)
    if not data.intents:
        named = tuple(replace(row, intents=(ENTITIES_ALONE,)) for row in data.rows)
        data = replace(data, rows=named, multi_label=False)
    dev = _eval_rows(config, data)
    added = () if config.add is None else _added(config.add, data, report)
    for line in data.skipped:
        report(f"skipped {line}")
    rows = (*data.rows, *added)
    labels = Labels(
        data.intents,
        any(r.out_of_scope for r in rows),
        data.entity_labels,
        data.multi_label,
    )
    report(f"{len(rows)} rows, {len(labels.intents)} intents, {len(labels.entities)} entity labels")
    unreadable = _unreadable(config, rows)
    for line in unreadable:
        report(line)
    checkpoint = config.out.parent / f".{config.out.name}.training" / "state.pt"
    if is_few_shot(config, rows, labels):
        report(f"under {config.few_shot_rows} rows an intent: the encoder stays as it is")
        learnt = learn_frozen(config, rows, dev, labels)
    else:
        learnt = learn_adapter(config, data.rows, added, dev, labels, checkpoint, report)
    metrics: dict[str, Any] = {
        "epochs": list(learnt.history),
        "scope_trade_off": learnt.calibration.curve,
        "train_rows": len(learnt.train),
        "dev_rows": len(learnt.dev),
        "frozen_accuracy": learnt.doubts.accuracy,
        "look_mislabelled": [doubt.as_json() for doubt in learnt.doubts.rows],
        "notes": [*data.skipped, *unreadable],
    }

    def documents(directory: Path) -> dict[str, str]:
        model = RouterModel.load(directory, EncoderFiles(config.encoder))
        dev, several = learnt.dev, labels.multi_label
        predictions = learnt.held_out or predict_rows(model, dev)
        figures = measure(dev, predictions, multi_label=several)
        metrics["dev"] = figures | {"ece_cross_fitted": learnt.calibration.ece}
        return {
            "report.html": report_page(dev, predictions, metrics, multi_label=several),
            "metrics.json": json.dumps(metrics, indent=1, ensure_ascii=False) + "\n",
            "card.md": model_card(config, learnt.manifest, metrics),
        }

    state = learnt.network.state_dict()
    tensors: dict[str, dict[str, Any]] = {
        artifact.HEADS: {k: v for k, v in state.items() if not k.startswith("encoder.")},
        artifact.INDEX: {"vectors": torch.from_numpy(learnt.index.vectors)},
    }
    if learnt.manifest.lora_rank:
        tensors[artifact.ADAPTER] = get_peft_model_state_dict(learnt.network.encoder)
    artifact.write_router(config.out, learnt.manifest, tensors, learnt.index.examples, documents)
    shutil.rmtree(checkpoint.parent, ignore_errors=True)
    return metrics


def evaluate_router(model_dir: Path, data: Path) -> dict[str, float | int | None]:
    """Figures of the router in ``model_dir`` on ``data``, with the keys of ``measure``.

    Raises SetupError without a router there, BadInput for rows with labels it does not know.
    """
    manifest = artifact.read_manifest(model_dir)
    rows = read_rows(data, judge_spans=False)
    check_known(data, rows, manifest.intents, manifest.entity_labels)
    model = RouterModel.load(model_dir, EncoderFiles(manifest.encoder))
    return measure(rows.rows, predict_rows(model, rows.rows), multi_label=manifest.multi_label)


def _unreadable(config: RouterConfig, rows: Sequence[RouterRow]) -> list[str]:
    """A line for each row that says nothing to the encoder."""
    tokens = Tokens(EncoderFiles(config.encoder))
    return [
        f"row {row.number}: nothing in it that the encoder's vocabulary knows"
        for row, windows in zip(rows, tokens.of_each([r.text for r in rows]), strict=True)
        if not any(tokens.readable(window) for window in windows)
    ]


def _added(path: Path, data: RouterData, report: Report) -> tuple[RouterRow, ...]:
    """Labelled messages of the desk; raises BadInput for labels the training file has not."""
    records, unlabelled = labelled_records(path, data.entity_labels)
    report(f"{path}: {len(records)} labelled messages added, {unlabelled} without a label left out")
    if not records:
        return ()
    added = parse_rows(path, records)
    check_known(path, added, data.intents, data.entity_labels)
    return added.rows


def needs_extra() -> None:
    """Raises SetupError where the report cannot be made: before training, not after."""
    missing = [name for name in ("cleanlab", "matplotlib") if find_spec(name) is None]
    if missing:
        raise SetupError(f"{' and '.join(missing)} missing; run: pip install -e '.[finetune]'")


def predict_rows(model: RouterModel, rows: Sequence[RouterRow]) -> list[Prediction]:
    """One prediction a row, in their order."""
    return [
        prediction
        for first in range(0, len(rows), PREDICT_ROWS)
        for prediction in model.predict([r.text for r in rows[first : first + PREDICT_ROWS]])
    ]


def _eval_rows(config: RouterConfig, data: RouterData) -> tuple[RouterRow, ...]:
    if config.eval is None:
        return ()
    found = read_rows(config.eval, skip_bad_rows=config.skip_bad_rows, judge_spans=False)
    check_known(config.eval, found, data.intents, data.entity_labels)
    if all(row.out_of_scope for row in found.rows):
        raise BadInput(f"{config.eval}: every row is out of scope; calibration needs others too")
    return found.rows
