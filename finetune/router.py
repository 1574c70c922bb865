"""The router, from labelled rows to a folder that serves: train, calibrate, measure, write."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from chatbot.errors import BadInput
from chatbot.routing import artifact
from chatbot.routing.model import Outputs, RouterModel
from chatbot.routing.scope import ScopeParts, join_parts, scope_parts
from finetune.router_batches import Labels
from finetune.router_calibrate import (
    fit_bands,
    fit_multi_label,
    fit_scope,
    fit_temperature,
    trade_off,
)
from finetune.router_card import model_card
from finetune.router_config import RouterConfig
from finetune.router_data import (
    OUT_OF_SCOPE,
    RouterData,
    RouterRow,
    check_known,
    check_training,
    read_rows,
)
from finetune.router_metrics import measure
from finetune.router_train import Trained, Trainer
from knowledge_base.encoder import EncoderFiles

PREDICT_ROWS = 256  # rows a call while measuring: bounds memory
MISLABELLED_SHOWN = 50
NEIGHBOURS = 5  # of these at least four disagree where a label looks wrong

Report = Callable[[str], None]


def train_router(config: RouterConfig, report: Report = print) -> dict[str, Any]:
    """Trains and writes ``config.out``; returns what ``metrics.json`` holds.

    Raises BadInput for rows that cannot be used, before anything is trained or written.
    """
    from peft import get_peft_model_state_dict

    data = read_rows(config.train, skip_bad_rows=config.skip_bad_rows)
    check_training(config.train, data)
    train, dev = data.rows, _eval_rows(config, data)
    if config.eval is None:
        train, dev = _hold_out(train, config.dev_share, config.seed)
        report(f"no --eval: {len(dev)} rows held out for early stopping and calibration")
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
    trained = trainer.run()
    index_rows = _index_rows(train, config.index_per_intent, config.seed)
    index = trainer.outputs(index_rows).vectors
    manifest, curve = _calibrate(
        config, data, labels, outputs=trainer.outputs(dev), dev=dev, index=index
    )
    metrics: dict[str, Any] = {
        "epochs": list(trained.history),
        "scope_trade_off": curve,
        "train_rows": len(train),
        "dev_rows": len(dev),
        "look_mislabelled": _look_mislabelled(index, index_rows),
    }

    def documents(directory: Path) -> dict[str, str]:
        model = RouterModel.load(directory, EncoderFiles(config.encoder))
        metrics["dev"] = measure(dev, _predict(model, dev), multi_label=labels.multi_label)
        return {
            "metrics.json": json.dumps(metrics, indent=1, ensure_ascii=False) + "\n",
            "card.md": model_card(config, manifest, metrics),
        }

    artifact.write_router(
        config.out,
        manifest,
        {
            artifact.ADAPTER: get_peft_model_state_dict(trained.network.encoder),
            artifact.HEADS: _heads(trained),
            artifact.INDEX: {"vectors": torch.from_numpy(index)},
        },
        [(r.text, r.intents[0] if r.intents else OUT_OF_SCOPE) for r in index_rows],
        documents,
    )
    shutil.rmtree(checkpoint.parent, ignore_errors=True)
    return metrics


def evaluate_router(model_dir: Path, data: Path) -> dict[str, float | int | None]:
    """Figures of the router in ``model_dir`` on ``data``, with the keys of ``measure``.

    Raises SetupError without a router there, BadInput for rows with labels it does not know.
    """
    manifest = artifact.read_manifest(model_dir)
    rows = read_rows(data)
    check_known(data, rows, manifest.intents, manifest.entity_labels)
    model = RouterModel.load(model_dir, EncoderFiles(manifest.encoder))
    return measure(rows.rows, _predict(model, rows.rows), multi_label=manifest.multi_label)


def _predict(model: RouterModel, rows: Sequence[RouterRow]) -> list[Any]:
    return [
        prediction
        for first in range(0, len(rows), PREDICT_ROWS)
        for prediction in model.predict([r.text for r in rows[first : first + PREDICT_ROWS]])
    ]


def _eval_rows(config: RouterConfig, data: RouterData) -> tuple[RouterRow, ...]:
    if config.eval is None:
        return ()
    found = read_rows(config.eval, skip_bad_rows=config.skip_bad_rows)
    check_known(config.eval, found, data.intents, data.entity_labels)
    if all(row.out_of_scope for row in found.rows):
        raise BadInput(f"{config.eval}: every row is out of scope; calibration needs others too")
    return found.rows


def _hold_out(
    rows: Sequence[RouterRow], share: float, seed: int
) -> tuple[tuple[RouterRow, ...], tuple[RouterRow, ...]]:
    """A share of each intent's rows; an intent always keeps at least one for training."""
    rng = random.Random(seed)
    groups: dict[tuple[str, ...], list[RouterRow]] = defaultdict(list)
    for row in rows:
        groups[row.intents[:1]].append(row)
    held: set[int] = set()
    for members in groups.values():
        count = min(max(1, round(share * len(members))), len(members) - 1)
        held |= {r.number for r in rng.sample(members, count)}
    return (
        tuple(r for r in rows if r.number not in held),
        tuple(r for r in rows if r.number in held),
    )


def _index_rows(rows: Sequence[RouterRow], per_intent: int, seed: int) -> list[RouterRow]:
    groups: dict[str, list[RouterRow]] = defaultdict(list)
    for row in rows:
        if row.intents and not row.out_of_scope:
            groups[row.intents[0]].append(row)
    rng = random.Random(seed)
    return [
        row
        for name in sorted(groups)
        for row in rng.sample(groups[name], min(per_intent, len(groups[name])))
    ]


def _calibrate(
    config: RouterConfig,
    data: RouterData,
    labels: Labels,
    *,
    outputs: Outputs,
    dev: Sequence[RouterRow],
    index: Any,
) -> tuple[artifact.Manifest, list[dict[str, float]]]:
    count = len(labels.intents)
    inside = np.array([not r.out_of_scope for r in dev])
    truth = np.array([labels.target(r)[:count] for r in dev])
    logits = outputs.logits[:, :count].astype(np.float64)
    shift = 0.0
    if labels.multi_label:
        temperature, shift = fit_multi_label(logits[inside], truth[inside])
        chances = 1 / (1 + np.exp(-(logits / temperature + shift)))
        right = ((chances >= 0.5) == (truth == 1)).all(axis=1)
    else:
        temperature = fit_temperature(logits[inside], truth[inside].argmax(axis=1))
        scaled = np.exp((logits - logits.max(axis=1, keepdims=True)) / temperature)
        chances = scaled / scaled.sum(axis=1, keepdims=True)
        right = logits.argmax(axis=1) == truth.argmax(axis=1)
    parts = scope_parts(outputs.vectors, outputs.logits, index, learned=labels.learned_scope)
    scope = fit_scope(ScopeParts(parts.values), dev, right, config.reject_share)
    files = EncoderFiles(config.encoder)
    manifest = artifact.Manifest(
        format=artifact.FORMAT,
        encoder=config.encoder,
        encoder_digest=files.digest,
        intents=labels.intents,
        multi_label=labels.multi_label,
        learned_scope=labels.learned_scope,
        entity_labels=labels.entities,
        lora_rank=config.lora_rank,
        lora_alpha=2 * config.lora_rank,
        scale=config.scale,
        temperature=temperature,
        shift=shift,
        scope=scope,
        bands=fit_bands(chances[inside].max(axis=1), right[inside]),
        seed=config.seed,
        train_sha256=hashlib.sha256(config.train.read_bytes()).hexdigest(),
        rows=len(data.rows),
    )
    return manifest, trade_off(join_parts(parts, scope), dev, right)


def _heads(trained: Trained) -> dict[str, Any]:
    state = trained.network.state_dict()
    return {name: value for name, value in state.items() if not name.startswith("encoder.")}


def _look_mislabelled(index: Any, rows: Sequence[RouterRow]) -> list[dict[str, Any]]:
    """Indexed rows whose nearest other examples nearly all carry another intent."""
    similarity = (torch.from_numpy(index) @ torch.from_numpy(index).T).fill_diagonal_(-1.0)
    count = min(NEIGHBOURS, len(rows) - 1)
    found = []
    for row, places in zip(rows, similarity.topk(count).indices.tolist(), strict=True):
        near = [rows[place] for place in places]
        different = [r.intents[0] for r in near if not set(r.intents) & set(row.intents)]
        if len(different) >= NEIGHBOURS - 1:
            found.append(
                {
                    "row": row.number,
                    "text": row.text,
                    "intent": list(row.intents),
                    "neighbours": different,
                }
            )
    return found[:MISLABELLED_SHOWN]
