"""From labelled rows to a calibrated router in memory: by training, or on the encoder as it is."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chatbot.routing import artifact
from chatbot.routing.model import predictions
from chatbot.routing.neighbours import Index
from chatbot.routing.network import RouterNetwork
from chatbot.routing.outputs import Floats, Outputs
from chatbot.types import Prediction
from finetune.router_batches import Labels
from finetune.router_calibrate import Calibration, calibrate
from finetune.router_config import RouterConfig
from finetune.router_data import RouterRow
from finetune.router_frozen import FrozenRouter
from finetune.router_noise import Doubts, find_doubts
from finetune.router_split import hold_out, index_rows
from finetune.router_train import Report, Trainer
from knowledge_base.encoder import EncoderFiles

SMALL_ROWS = 3000  # below it the held-out rows are learnt too, in a second run: it takes minutes

Rows = tuple[RouterRow, ...]


@dataclass(frozen=True)
class Learnt:
    """A router, the rows behind it, and what was seen on the way."""

    manifest: artifact.Manifest
    network: RouterNetwork
    index: Index
    train: Rows
    dev: Rows
    held_out: tuple[Prediction, ...]
    """Of the dev rows, where the router has learnt them in the end: by one that had not."""
    calibration: Calibration
    doubts: Doubts
    history: tuple[dict[str, float], ...] = ()


def learn_frozen(config: RouterConfig, train: Rows, dev: Rows, labels: Labels) -> Learnt:
    """Without ``dev`` rows each training row is judged by a head that did not learn it."""
    router = FrozenRouter(config, train, labels)
    doubts = find_doubts(train, router.vectors, multi_label=False, seed=config.seed)
    indexed = index_rows(train, config.index_per_intent, config.seed)
    index = _index(router.outputs(indexed), indexed, labels)
    if dev:
        outputs = router.outputs(dev)
        similarity = outputs.similarity(index)
    else:
        outputs = router.out_of_fold()
        similarity = router.similarity_to_others(index, indexed)
    found = _calibrated(config, outputs, similarity, dev or train, index, labels)
    manifest = _manifest(config, labels, found, rank=0, scale=router.network.scale, rows=train)
    held_out = () if dev else tuple(predictions(manifest, index, outputs, similarity))
    return Learnt(manifest, router.network, index, train, dev or train, held_out, found, doubts)


def learn_adapter(
    config: RouterConfig,
    train: Rows,
    added: Rows,
    dev: Rows,
    labels: Labels,
    checkpoint: Path,
    report: Report,
) -> Learnt:
    """Without ``dev`` rows some of ``train`` are held out; a small set is then trained once more
    with them. ``added`` are always learnt."""
    given = bool(dev)
    if not given:
        train, dev = hold_out(train, config.dev_share, config.seed)
        report(f"no --eval: {len(dev)} rows held out for early stopping and calibration")
    train = (*train, *added)
    trainer = Trainer(
        config, train=train, dev=dev, labels=labels, checkpoint=checkpoint, report=report
    )
    doubts = find_doubts(train, trainer.frozen, multi_label=labels.multi_label, seed=config.seed)
    trained = trainer.run()
    index = _index_of(trainer)
    outputs = trainer.outputs(dev)
    similarity = outputs.similarity(index)
    found = _calibrated(config, outputs, similarity, dev, index, labels)
    manifest = _manifest(
        config, labels, found, rank=config.lora_rank, scale=config.scale, rows=train
    )
    held_out: tuple[Prediction, ...] = ()
    if len(train) < SMALL_ROWS and not given:
        # before the held-out rows are learnt: figures on learnt rows would say nothing
        held_out = tuple(predictions(manifest, index, outputs, similarity))
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
        index = _index_of(trainer)
    history = tuple(trained.history)
    return Learnt(manifest, trained.network, index, train, dev, held_out, found, doubts, history)


def _calibrated(
    config: RouterConfig,
    outputs: Outputs,
    similarity: Floats,
    rows: Rows,
    index: Index,
    labels: Labels,
) -> Calibration:
    return calibrate(
        outputs.logits,
        similarity,
        rows,
        index,
        multi_label=labels.multi_label,
        learned_scope=labels.learned_scope,
        reject_share=config.reject_share,
    )


def _index_of(trainer: Trainer) -> Index:
    config = trainer.config
    rows = index_rows(trainer.train, config.index_per_intent, config.seed)
    return _index(trainer.outputs(rows), rows, trainer.labels)


def _index(outputs: Outputs, rows: Sequence[RouterRow], labels: Labels) -> Index:
    return Index(outputs.vectors, tuple((r.shown, r.intents) for r in rows), labels.intents)


def _manifest(
    config: RouterConfig, labels: Labels, found: Calibration, *, rank: int, scale: float, rows: Rows
) -> artifact.Manifest:
    return artifact.Manifest(
        format=artifact.FORMAT,
        encoder=config.encoder,
        encoder_digest=EncoderFiles(config.encoder).digest,
        intents=labels.intents,
        multi_label=labels.multi_label,
        learned_scope=labels.learned_scope,
        entity_labels=labels.entities,
        lora_rank=rank,
        lora_alpha=2 * rank,
        scale=scale,
        temperature=found.confidence.temperature,
        shift=found.confidence.shift,
        neighbour_share=found.confidence.neighbour_share,
        scope=found.scope,
        bands=found.bands,
        seed=config.seed,
        train_sha256=hashlib.sha256(config.train.read_bytes()).hexdigest(),
        rows=len(rows),
    )
