"""The loss of direct preference optimisation on pairs that share their prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, logsigmoid

from finetune.answers_batches import BranchCollator
from finetune.answers_recipe import AnswersRecipe
from finetune.answers_rows import IGNORED
from finetune.answers_trainer import AnswersTrainer, answer_logits


class PreferenceCollator(BranchCollator):
    """Adds ``reference``, (pairs, 2): log-likelihoods of chosen and rejected before training."""

    def __init__(self, pad_id: int) -> None:
        super().__init__(pad_id, with_branches=True)

    def __call__(self, examples: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
        names = ("input_ids", "labels", "position_ids", "branch")
        batch = super().__call__([{name: e[name] for name in names} for e in examples])
        return batch | {"reference": torch.tensor([e["reference"] for e in examples])}


class PreferenceTrainer(AnswersTrainer):
    def __init__(self, *args: Any, recipe: AnswersRecipe, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.recipe = recipe
        self.model_accepts_loss_kwargs = False  # a mean over pairs, whatever their length

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        found = log_likelihoods(model, inputs, gradient=True)
        gained = found - inputs["reference"].to(found)
        margin = self.recipe.preference_beta * (gained[:, 0] - gained[:, 1])
        chosen = ((inputs["labels"] != IGNORED) & (inputs["branch"] == 1)).sum(dim=1)
        ordinary = (-found[:, 0] / chosen.clamp(min=1)).mean()
        loss = -logsigmoid(margin).mean() + self.recipe.preference_sft * ordinary
        loss = self.finished(model, loss)
        return (loss, {"loss": loss, "logits": margin}) if return_outputs else loss


def log_likelihoods(model: Any, batch: dict[str, Tensor], *, gradient: bool = False) -> Tensor:
    """(pairs, 2): of the chosen and the rejected text, summed over their tokens."""
    labels = batch["labels"][:, 1:]
    wanted = labels != IGNORED
    with torch.set_grad_enabled(gradient):
        batch = {name: tensor.to(model.device) for name, tensor in batch.items()}
        logits = answer_logits(model, batch, wanted.to(model.device)).float()
        each = -cross_entropy(logits, labels[wanted].to(logits.device), reduction="none")
    rows = torch.arange(len(labels)).unsqueeze(1).expand_as(labels)[wanted]
    column = (batch["branch"][:, 1:][wanted] - 1).to(each.device)
    found = torch.zeros(len(labels), 2, device=each.device)
    return found.index_put((rows.to(each.device), column), each, accumulate=True)
