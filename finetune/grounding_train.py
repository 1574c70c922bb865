"""Trains the cross-encoder of the grounding head: LoRA on the shared encoder, one logit."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from chatbot.safety.grounding_head import MAX_TOKENS
from knowledge_base.encoder import EncoderFiles
from knowledge_base.lora import stored
from knowledge_base.torch_forward import pair_pooled

BATCH = 32
LEARNING_RATE = 1e-3  # of the LoRA matrices and of the output vector
WARM_UP = 0.06  # of all steps
SMOOTHING = 0.03  # some corruptions are true after all
CHECKPOINT_STEPS = 100


@dataclass(frozen=True, slots=True)
class Pair:
    """What the network reads and whether the second supports the first."""

    claim: str
    evidence: str
    label: int


class Adapted(nn.Module):
    """A frozen linear layer beside a trained product of two small matrices (LoRA)."""

    def __init__(self, linear: nn.Linear, rank: int, scale: float) -> None:
        super().__init__()
        self.linear, self.scale = linear, scale
        self.down = nn.Parameter(torch.empty(rank, linear.in_features))
        self.up = nn.Parameter(torch.zeros(linear.out_features, rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, inputs: Tensor) -> Tensor:
        low = nn.functional.linear(inputs, self.down)
        plain: Tensor = self.linear(inputs)
        return plain + self.scale * nn.functional.linear(low, self.up)


class CrossEncoder(nn.Module):
    """The encoder with every linear layer of its blocks adapted, and one linear output on
    first token and mean."""

    def __init__(self, files: EncoderFiles, rank: int, alpha: int) -> None:
        super().__init__()
        self.encoder: Any = files.model().requires_grad_(False)
        self.adapted: dict[str, Adapted] = {}
        for name, layer in list(self.encoder.named_modules()):
            if isinstance(layer, nn.Linear) and ".layer." in name:
                parent, _, own = name.rpartition(".")
                self.adapted[name] = Adapted(layer, rank, alpha / rank)
                setattr(self.encoder.get_submodule(parent), own, self.adapted[name])
        self.out = nn.Linear(2 * int(self.encoder.config.hidden_size), 1)

    def forward(self, batch: Any) -> Tensor:
        """Logits, shape (pairs,)."""
        with torch.autocast("cpu", dtype=torch.bfloat16):
            states = self.encoder(**batch).last_hidden_state
        logits: Tensor = self.out(pair_pooled(states.float(), batch["attention_mask"])).squeeze(1)
        return logits

    def tensors(self) -> dict[str, Tensor]:
        """What serving merges: ``<layer>.down``, ``<layer>.up`` and ``out``, fp16."""
        adapter = {name: (layer.down, layer.up) for name, layer in self.adapted.items()}
        return stored(adapter, torch.cat([self.out.weight[0], self.out.bias]))


def train(
    pairs: Sequence[Pair],
    files: EncoderFiles,
    out: Path,
    *,
    rank: int,
    alpha: int,
    epochs: int,
    seed: int,
    checkpoint: str,
    resume: bool = False,
) -> CrossEncoder:
    """Binary cross-entropy, AdamW, linear warm-up and cosine decay; shows progress.

    With ``resume`` it goes on from the last checkpoint in ``out``, which lies there until the
    run has ended.
    """
    from rich.progress import track

    torch.manual_seed(seed)
    model = CrossEncoder(files, rank, alpha)
    tokenizer = files.tokenizer()
    weights = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=LEARNING_RATE, weight_decay=0.01)
    plan = [batch for epoch in range(epochs) for batch in _batches(pairs, seed + epoch)]
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, _shape(len(plan)))
    done = 0
    path = out / checkpoint
    if resume and path.exists():
        state = torch.load(path, weights_only=True)
        model.load_state_dict(state["model"], strict=False)
        optimiser.load_state_dict(state["optimiser"])
        schedule.load_state_dict(state["schedule"])
        done = state["done"]
    loss_of = nn.BCEWithLogitsLoss()
    model.train()
    for step in track(range(done, len(plan)), description="cross-encoder"):
        batch = [pairs[i] for i in plan[step]]
        wanted = torch.tensor([float(pair.label) for pair in batch])
        loss = loss_of(model(encoded(tokenizer, batch)), wanted * (1 - 2 * SMOOTHING) + SMOOTHING)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        schedule.step()
        if step % CHECKPOINT_STEPS == CHECKPOINT_STEPS - 1:
            print(f"step {step + 1} of {len(plan)}, loss {loss.item():.3f}", flush=True)
            trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
            state = {
                "model": trained,
                "optimiser": optimiser.state_dict(),
                "schedule": schedule.state_dict(),
                "done": step + 1,
            }
            torch.save(state, path)
    path.unlink(missing_ok=True)
    return model.eval()


def encoded(tokenizer: Any, pairs: Sequence[Pair]) -> Any:
    """Token ids as ``GroundingHead.logits`` makes them."""
    return tokenizer(
        [pair.claim for pair in pairs],
        [pair.evidence for pair in pairs],
        padding=True,
        truncation="longest_first",
        max_length=MAX_TOKENS,
        return_tensors="pt",
    )


def _batches(pairs: Sequence[Pair], seed: int) -> list[list[int]]:
    """Batches of like length, in random order: little padding, and no order to learn."""
    rng = random.Random(seed)
    order = list(range(len(pairs)))
    rng.shuffle(order)
    batches: list[list[int]] = []
    for start in range(0, len(order), BATCH * 50):
        part = order[start : start + BATCH * 50]
        part.sort(key=lambda i: len(pairs[i].claim) + len(pairs[i].evidence))
        batches += [part[a : a + BATCH] for a in range(0, len(part), BATCH)]
    rng.shuffle(batches)
    return batches


def _shape(steps: int) -> Any:
    warm = max(1, int(WARM_UP * steps))

    def factor(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))

    return factor
