"""Joint training of both heads with a LoRA adapter, with early stopping and checkpoints."""

from __future__ import annotations

import copy
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor
from torch.nn import functional

from chatbot.routing.network import RouterNetwork
from chatbot.routing.outputs import Outputs, run_network
from chatbot.tags import IGNORED, tag_count
from chatbot.tokens import Tokens
from finetune.router_batches import Batch, Labels, epoch
from finetune.router_checkpoint import Checkpoint
from finetune.router_config import RouterConfig
from finetune.router_data import RouterRow
from finetune.router_metrics import f1
from finetune.router_steps import (
    Plan,
    WeightAverage,
    add_adapter,
    class_weights,
    fast_bfloat16,
    optimizer_of,
    stalled,
    start_at_means,
)
from knowledge_base.encoder import EncoderFiles

MAX_EPOCHS = 25  # small sets are repeated up to this often
PATIENT_SHARE = 3  # a third of the epochs may bring nothing: the last, small steps often do
GRADIENT_NORM = 1.0
STDERR = Console(stderr=True)

Report = Callable[[str], None]


@dataclass(frozen=True)
class Trained:
    """Averaged weights, loaded into ``network``: of the last epoch that was planned, or of the
    best one where training stopped before. A few hundred dev rows cannot tell epochs of a falling
    rate apart, and the last one is the calmest."""

    network: RouterNetwork
    tokens: Tokens
    labels: Labels
    history: tuple[dict[str, float], ...]


class Trainer:
    """``run()`` trains until the dev score stops rising. A checkpoint after each epoch lets an
    interrupted run go on; it belongs to exactly this recipe and these rows."""

    def __init__(
        self,
        config: RouterConfig,
        *,
        train: Sequence[RouterRow],
        dev: Sequence[RouterRow],
        labels: Labels,
        checkpoint: Path,
        report: Report,
    ) -> None:
        self.config, self.train, self.dev, self.labels = config, train, dev, labels
        self.checkpoint = Checkpoint(checkpoint, config, (*train, *dev))
        self.report = report
        torch.manual_seed(config.seed)
        files = EncoderFiles(config.encoder)
        self.tokens = Tokens(files)
        encoder = files.model()
        self.network = RouterNetwork(
            encoder,
            encoder.config.hidden_size,
            len(labels.outputs),
            tag_count(labels.entities),
            config.scale,
        )
        self.frozen = self.outputs(train, exact=False).vectors
        """Vectors of the training rows before training, shape (rows, hidden)."""
        start_at_means(self.network.intent, torch.from_numpy(self.frozen), train, labels)
        self.network.encoder = add_adapter(encoder, config.lora_rank)
        self.average = WeightAverage(self.network, config.average_decay)
        self.class_weights = class_weights(train, labels)

    def run(self) -> Trained:
        config = self.config
        steps = math.ceil(len(self.train) / config.batch_size)
        epochs = min(MAX_EPOCHS, max(config.epochs, math.ceil(config.min_steps / steps)))
        plan = Plan(epochs, steps, config.warmup, 60 * config.time_budget_minutes)
        optimizer = optimizer_of(self.network, config.learning_rate, config.head_learning_rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, plan.rate)
        history: list[dict[str, float]] = []
        best = self._weights()
        state = self._checkpointed() if config.resume else None
        if state is not None:
            self._restore(state["weights"])
            self.average.load(state["average"])
            optimizer.load_state_dict(state["optimizer"])
            schedule.load_state_dict(state["schedule"])
            history, best = state["history"], state["best"]
            self.report(f"resuming after epoch {len(history)}")
        while not stalled(history, max(config.patience, plan.epochs // PATIENT_SHARE)):
            if plan.shorten([h["seconds"] for h in history]):
                self.report(f"{plan.epochs} epochs fit into {config.time_budget_minutes:g} minutes")
            if len(history) >= plan.epochs:
                break
            began = time.monotonic()
            loss = self._epoch(optimizer, schedule, f"epoch {len(history) + 1}/{plan.epochs}")
            with self.average.applied():
                figures = self._dev_figures()
                score = figures["intent"] + figures["entity"]
                if not history or score > max(h["score"] for h in history):
                    best = self._weights()
            seconds = time.monotonic() - began
            history.append({"loss": loss, "score": score, "seconds": seconds, **figures})
            self.report(
                f"epoch {len(history)}/{plan.epochs}: loss {loss:.3f}, dev intents "
                f"{figures['intent']:.4f}, dev entities {figures['entity']:.4f}, {seconds:.0f} s"
            )
            self.checkpoint.write(
                {
                    "weights": self._weights(),
                    "optimizer": optimizer.state_dict(),
                    "schedule": schedule.state_dict(),
                    "average": self.average.state(),
                    "history": history,
                    "best": best,
                }
            )
        if len(history) >= plan.epochs:
            with self.average.applied():
                best = self._weights()
        self._restore(best)
        self.network.eval()
        return Trained(self.network, self.tokens, self.labels, tuple(history))

    def outputs(self, rows: Sequence[RouterRow], *, exact: bool = True) -> Outputs:
        """Of the weights as they are; in bfloat16, where that is faster, unless ``exact``."""
        self.network.eval()
        with torch.autocast("cpu", torch.bfloat16, enabled=not exact and fast_bfloat16()):
            return run_network(
                self.network, self.tokens, [r.text for r in rows], self.labels.entities
            )

    def _epoch(self, optimizer: Any, schedule: Any, name: str) -> float:
        """The mean loss. Seeded by the epochs so far, so that a resumed run draws the same."""
        self.network.train()
        total = 0.0
        config = self.config
        drawn = random.Random(config.seed + schedule.last_epoch)
        torch.manual_seed(config.seed + schedule.last_epoch)
        batches = epoch(
            self.train,
            self.labels,
            self.tokens,
            size=config.batch_size,
            noise=config.augmentation,
            rng=drawn,
        )
        count = math.ceil(len(self.train) / config.batch_size)
        for batch in track(batches, name, total=count, transient=True, console=STDERR):
            loss = self._loss(batch)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(self._trainable(), GRADIENT_NORM)
            optimizer.step()
            schedule.step()
            self.average.update()
            total += loss.item() * len(batch.intents)
        return total / len(self.train)

    def _loss(self, batch: Batch) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=fast_bfloat16()):
            states = self.network.states(batch.ids, batch.mask)
        states = states.float()
        sums = self.network.token_sums(states, batch.mask)
        texts = sums.new_zeros(len(batch.intents), sums.shape[1]).index_add(0, batch.rows, sums)
        logits = self.network.intent_logits(functional.normalize(texts, dim=1))
        if self.labels.multi_label:
            loss = functional.binary_cross_entropy_with_logits(logits, batch.intents.float())
            loss = loss * len(self.labels.outputs) ** 0.5  # else entities outweigh many outputs
        else:
            loss = functional.cross_entropy(
                logits,
                batch.intents,
                weight=self.class_weights,
                label_smoothing=self.config.label_smoothing,
            )
        tag_logits = self.network.tag_logits(states)
        if tag_logits is not None and batch.tags is not None:
            loss = loss + self.config.entity_weight * functional.cross_entropy(
                tag_logits.flatten(0, 1), batch.tags.flatten(), ignore_index=IGNORED
            )
        return loss

    def _dev_figures(self) -> dict[str, float]:
        """Share of right intents (micro F1 for several) and entity F1, without rejection."""
        outputs = self.outputs(self.dev, exact=False)
        logits = outputs.logits[:, : len(self.labels.intents)]
        truth = np.array([self.labels.target(r)[: logits.shape[1]] for r in self.dev])
        inside = np.array([not r.out_of_scope for r in self.dev])
        if self.labels.multi_label:
            guess = logits[inside] > 0
            hits = int((guess & (truth[inside] == 1)).sum())
            intent = f1(hits, int(guess.sum()) - hits, int(truth[inside].sum()) - hits)
        else:
            intent = float((logits.argmax(1) == truth.argmax(1))[inside].mean())
        gold = [{(e.start, e.end, e.label) for e in r.entities} for r in self.dev]
        found = [{(e.start, e.end, e.label) for e in row} for row in outputs.entities]
        hits = sum(len(g & f) for g, f in zip(gold, found, strict=True))
        entity = f1(hits, sum(map(len, found)) - hits, sum(map(len, gold)) - hits)
        return {"intent": intent, "entity": entity if self.labels.entities else 0.0}

    def _trainable(self) -> list[Tensor]:
        return [p for p in self.network.parameters() if p.requires_grad]

    def _weights(self) -> dict[str, Tensor]:
        return {
            name: copy.deepcopy(p.detach())
            for name, p in self.network.named_parameters()
            if p.requires_grad
        }

    def _restore(self, weights: dict[str, Tensor]) -> None:
        self.network.load_state_dict(weights, strict=False)

    def _checkpointed(self) -> dict[str, Any] | None:
        try:
            return self.checkpoint.read()
        except KeyError:
            self.report("the checkpoint belongs to another recipe or other rows; starting anew")
            return None
