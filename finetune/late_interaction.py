"""Trains the reranker's second stage: late interaction on a larger encoder.

It begins as the encoder was published, which compares texts well without any training: a
cross-encoder on the same weights had learnt next to nothing of hard questions after 800 steps
(decision 0162).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from finetune.cross_encoder import adapt, go_on_from
from finetune.reranker_recipe import Recipe
from finetune.reranker_rows import Group
from finetune.reranker_train import by_length, train, trained
from knowledge_base.encoder import EncoderFiles
from knowledge_base.late_interaction import HEAD
from knowledge_base.lora import read_tensors, stored
from knowledge_base.reranker import MAX_TOKENS

WORDS, WHOLE, BIAS = 20.0, 10.0, -18.0  # where the factors begin: cosines lie between 0.3 and 0.9
FACTOR_RATE = 0.02  # learning rate of the three factors
PARTS = 3  # a batch is padded in so many parts


class LateInteractionModel(nn.Module):
    """What ``knowledge_base.late_interaction`` computes, with gradients."""

    def __init__(self, files: EncoderFiles, recipe: Recipe) -> None:
        super().__init__()
        self.encoder: Any = files.model()
        self.tokenizer = files.tokenizer()
        self.adapted = adapt(self.encoder, recipe.rank, recipe.alpha, recipe.first_block)
        self.weigh = nn.Parameter(torch.zeros(int(self.encoder.config.hidden_size)))
        self.words = nn.Parameter(torch.tensor(WORDS))
        self.whole = nn.Parameter(torch.tensor(WHOLE))
        self.bias = nn.Parameter(torch.tensor(BIAS))

    @property
    def factors(self) -> list[nn.Parameter]:
        return [self.words, self.whole, self.bias]

    def forward(self, batch: Sequence[Group]) -> Tensor:
        """Logits of all passages, one group after the other."""
        states = self._states([text for group in batch for text in _texts(group)])
        found = []
        start = 0
        for group in batch:
            question, *others = states[start : (start := start + len(group.passages) + 1)]
            found += [self._logit(question, other) for other in others]
        return torch.stack(found)

    def tensors(self) -> dict[str, Tensor]:
        """What serving loads: ``<layer>.down`` and ``<layer>.up`` in fp16, ``head`` in fp32."""
        adapter = {name: (layer.down, layer.up) for name, layer in self.adapted.items()}
        head = torch.cat([self.weigh, *(factor[None] for factor in self.factors)])
        return {**stored(adapter), HEAD: head.detach().float()}

    def _states(self, texts: Sequence[str]) -> list[Tensor]:
        """Token states of each text, shape (tokens, hidden)."""
        found: dict[int, Tensor] = {}
        for places in by_length([len(text) for text in texts], parts=PARTS):
            batch = self.tokenizer(
                [texts[place] for place in places],
                padding=True,
                truncation=True,
                max_length=MAX_TOKENS,
                return_tensors="pt",
            )
            with torch.autocast("cpu", dtype=torch.bfloat16):
                states = self.encoder(**batch).last_hidden_state
            lengths = batch["attention_mask"].sum(1).tolist()
            for place, own, length in zip(places, states.float(), lengths, strict=True):
                found[place] = own[:length]
        return [found[place] for place in range(len(texts))]

    def _logit(self, question: Tensor, other: Tensor) -> Tensor:
        asked = nn.functional.normalize(question, dim=1)
        likeness = (asked @ nn.functional.normalize(other, dim=1).T).amax(dim=1)
        words = torch.softmax(asked @ self.weigh, dim=0) @ likeness
        whole = nn.functional.cosine_similarity(question.mean(0), other.mean(0), dim=0)
        return self.words * words + self.whole * whole + self.bias


def begin_from(model: LateInteractionModel, path: Path) -> None:
    """Goes on from the tensors of a second stage that was trained before."""
    tensors = read_tensors(path)
    go_on_from(model.adapted, tensors)
    with torch.no_grad():
        head = tensors[HEAD]
        model.weigh.copy_(head[: -len(model.factors)])
        for factor, value in zip(model.factors, head[-len(model.factors) :], strict=True):
            factor.copy_(value)


def train_late_interaction(
    phases: Sequence[Sequence[Group]],
    files: EncoderFiles,
    recipe: Recipe,
    begin: Path | None = None,
    out: Path | None = None,
) -> LateInteractionModel:
    """The second stage; ``begin``: the tensors to go on from; ``out``: a folder for checkpoints."""
    torch.manual_seed(recipe.seed)
    model = LateInteractionModel(files, recipe)
    if begin is not None:
        begin_from(model, begin)
    factors = {id(factor) for factor in model.factors}
    others = [weight for weight in trained(model) if id(weight) not in factors]
    factor_rate = FACTOR_RATE if begin is None else recipe.learning_rate
    rates = [
        {"params": others, "lr": recipe.learning_rate},
        {"params": model.factors, "lr": factor_rate},
    ]
    train(model, rates, phases, model, recipe, out)
    return model


def _texts(group: Group) -> tuple[str, ...]:
    return (group.question, *group.passages)
