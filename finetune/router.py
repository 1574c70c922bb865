"""The router, from labelled rows to a folder that serves: train, calibrate, measure, write."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from chatbot.errors import BadInput, SetupError
from chatbot.routing import artifact
from chatbot.routing.model import IntentHead, RouterModel
from chatbot.routing.neighbours import Index
from chatbot.types import Prediction
from finetune.router_batches import Labels
from finetune.router_calibrate import Calibration, calibrate
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
from finetune.router_metrics import measure
from finetune.router_noise import find_doubts
from finetune.router_report import report_page
from finetune.router_split import hold_out, index_rows
from finetune.router_train import Trained, Trainer
from knowledge_base.batching import Batched
from knowledge_base.encoder import EncoderFiles
from knowledge_base.torch_forward import TorchForward

ENTITIES_ALONE = "message"  # the one intent of a router trained on entities without intents
SMALL_ROWS = 3000  # below it the held-out rows are learnt too, in a second run: it takes minutes
PREDICT_ROWS = 256  # rows a call while measuring: bounds memory

Report = Callable[[str], None]


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
    train, dev = data.rows, _eval_rows(config, data)
    if config.eval is None:
        train, dev = hold_out(train, config.dev_share, config.seed)
        report(f"no --eval: {len(dev)} rows held out for early stopping and calibration")
    if config.add is not None:
        train = (*train, *_added(config.add, data, report))
    for line in data.skipped:
        report(f"skipped {line}")
    labels = Labels(
        data.intents,
        any(r.out_of_scope for r in train),
        data.entity_labels,
        data.multi_label,
    )
    report(
        f"{len(train)} training and {len(dev)} dev rows, {len(labels.intents)} intents, "
        f"{len(labels.entities)} entity labels"
    )
    checkpoint = config.out.parent / f".{config.out.name}.training" / "state.pt"
    trainer = Trainer(
        config, train=train, dev=dev, labels=labels, checkpoint=checkpoint, report=report
    )
    unreadable = [
        f"row {r.number}: nothing in it that the encoder's vocabulary knows"
        for r in train
        if not any(trainer.tokens.readable(w) for w in trainer.tokens.windows([r.text]))
    ]
    for line in unreadable:
        report(line)
    doubts = find_doubts(train, trainer.frozen, multi_label=labels.multi_label, seed=config.seed)
    trained = trainer.run()
    index = _index(trainer, train)
    calibration = calibrate(
        trainer.outputs(dev),
        dev,
        index,
        multi_label=labels.multi_label,
        learned_scope=labels.learned_scope,
        reject_share=config.reject_share,
    )
    manifest = _manifest(config, data, labels, calibration)
    held_out: list[Prediction] = []
    if len(train) < SMALL_ROWS and config.eval is None:
        # before the held-out rows are learnt: figures on learnt rows would say nothing
        held_out = predict_rows(_in_memory(trainer, manifest, index), dev)
        report("a small file: trained once more with the held-out rows among them")
        train = (*train, *dev)
        trainer = Trainer(
            config,
            train=train,
            dev=dev,
            labels=labels,
            checkpoint=checkpoint.with_name("all.pt"),
            report=report,
        )
        trained = trainer.run()
        index = _index(trainer, train)
    metrics: dict[str, Any] = {
        "epochs": list(trained.history),
        "scope_trade_off": calibration.curve,
        "train_rows": len(train),
        "dev_rows": len(dev),
        "frozen_accuracy": doubts.accuracy,
        "look_mislabelled": [doubt.as_json() for doubt in doubts.rows],
        "notes": [*data.skipped, *unreadable],
    }

    def documents(directory: Path) -> dict[str, str]:
        model = RouterModel.load(directory, EncoderFiles(config.encoder))
        predictions = held_out or predict_rows(model, dev)
        metrics["dev"] = measure(dev, predictions, multi_label=labels.multi_label)
        return {
            "report.html": report_page(dev, predictions, metrics, multi_label=labels.multi_label),
            "metrics.json": json.dumps(metrics, indent=1, ensure_ascii=False) + "\n",
            "card.md": model_card(config, manifest, metrics),
        }

    artifact.write_router(
        config.out,
        manifest,
        {
            artifact.ADAPTER: get_peft_model_state_dict(trained.network.encoder),
            artifact.HEADS: _heads(trained),
            artifact.INDEX: {"vectors": torch.from_numpy(index.vectors)},
        },
        index.examples,
        documents,
    )
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


def _index(trainer: Trainer, train: Sequence[RouterRow]) -> Index:
    rows = index_rows(train, trainer.config.index_per_intent, trainer.config.seed)
    return Index(
        trainer.outputs(rows).vectors,
        tuple((r.text, r.intents) for r in rows),
        trainer.labels.intents,
    )


def _in_memory(trainer: Trainer, manifest: artifact.Manifest, index: Index) -> RouterModel:
    network = Batched(TorchForward(trainer.network))
    weight, bias = (value.detach().numpy() for value in trainer.network.intent.parameters())
    head = IntentHead.of(weight, bias, manifest.scale)
    return RouterModel(manifest, network, head, trainer.tokens, index)


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


def _manifest(
    config: RouterConfig, data: RouterData, labels: Labels, found: Calibration
) -> artifact.Manifest:
    return artifact.Manifest(
        format=artifact.FORMAT,
        encoder=config.encoder,
        encoder_digest=EncoderFiles(config.encoder).digest,
        intents=labels.intents,
        multi_label=labels.multi_label,
        learned_scope=labels.learned_scope,
        entity_labels=labels.entities,
        lora_rank=config.lora_rank,
        lora_alpha=2 * config.lora_rank,
        scale=config.scale,
        temperature=found.confidence.temperature,
        shift=found.confidence.shift,
        neighbour_share=found.confidence.neighbour_share,
        scope=found.scope,
        bands=found.bands,
        seed=config.seed,
        train_sha256=hashlib.sha256(config.train.read_bytes()).hexdigest(),
        rows=len(data.rows),
    )


def _heads(trained: Trained) -> dict[str, Any]:
    state = trained.network.state_dict()
    return {name: value for name, value in state.items() if not name.startswith("encoder.")}
