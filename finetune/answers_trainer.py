"""TRL's trainer with the loss computed where there is one: on the tokens of the answer.

Nine tokens of ten are prompt. Their logits over 49,152 words are never looked at, and leaving
them out halves the time of a step on a CPU. An interrupted run goes on exactly: the order of the
rows hangs on seed and epoch alone, and a checkpoint counts only once it is whole.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor
from torch.utils.data import Sampler
from trl.trainer.sft_trainer import SFTTrainer

from chatbot.errors import SetupError
from finetune.answers_rows import IGNORED
from finetune.answers_run import WHOLE


class AnswersTrainer(SFTTrainer):
    """Expects batches of ``answers_batches``: 4-D masks, or 2-D ones for prefix tuning."""

    anchor: Anchor | None = None

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """Mean cross-entropy of the answer tokens, the same as the model's own loss. Raises
        SetupError where it is not a number."""
        labels = inputs["labels"][:, 1:]
        wanted = labels != IGNORED
        logits = answer_logits(model, inputs, wanted).float()
        total = torch.nn.functional.cross_entropy(logits, labels[wanted], reduction="sum")
        if num_items_in_batch is None:
            loss = total / wanted.sum()
        else:  # of all processes, whose gradients are averaged afterwards
            loss = total * self.accelerator.num_processes / num_items_in_batch
        loss = self.finished(model, loss)
        return (loss, {"loss": loss, "logits": logits}) if return_outputs else loss

    def finished(self, model: Any, loss: Tensor) -> Tensor:
        """With the penalties of the recipe while training; never a NaN."""
        if not model.training:
            return loss
        if not bool(torch.isfinite(loss)):
            raise SetupError(
                f"the loss is not a number at step {self.state.global_step + 1}; nothing was "
                f"saved after the last checkpoint. Halve learning_rate (now "
                f"{self.args.learning_rate:g}) and begin again"
            )
        loss = loss + orthogonality(model)
        return loss if self.anchor is None else loss + self.anchor.penalty(model)

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        dataset: Any = self.train_dataset if train_dataset is None else train_dataset
        lengths = [len(ids) for ids in dataset["input_ids"]]
        return LengthSampler(lengths, self.args.train_batch_size, self.args.seed)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        folder = Path(str(self.args.output_dir)) / f"checkpoint-{self.state.global_step}"
        try:
            super()._save_checkpoint(model, trial)  # type: ignore[no-untyped-call]
            if self.is_world_process_zero():
                (folder / WHOLE).touch()
        except (OSError, SafetensorError, RuntimeError) as error:
            shutil.rmtree(folder, ignore_errors=True)
            free = shutil.disk_usage(folder.parent).free // 2**20
            raise SetupError(
                f"checkpoint {folder} cannot be written ({error}); {free} MB are free there. Make "
                "room and go on with --resume: earlier checkpoints are whole"
            ) from error


def last_checkpoint(folder: Path) -> Path | None:
    """The newest that was written to its end; torn ones are deleted."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    for path in found:
        if not (path / WHOLE).exists():
            shutil.rmtree(path, ignore_errors=True)
    whole = [path for path in found if (path / WHOLE).exists()]
    return whole[-1] if whole else None


def answer_logits(model: Any, inputs: dict[str, Tensor], wanted: Tensor) -> Tensor:
    """Scores of the positions that ``wanted`` (batch, tokens - 1) marks, shape (marked, words)."""
    places = wanted.any(dim=0).nonzero().squeeze(1)  # in any row of the batch
    names = ("input_ids", "attention_mask", "position_ids")
    asked = {name: inputs[name] for name in names if name in inputs}
    scores: Tensor = model(**asked, use_cache=False, logits_to_keep=places).logits
    return scores[wanted[:, places]]


def orthogonality(model: Any) -> Tensor | float:
    """AdaLoRA's penalty on its factors (its paper, eq. 4), 0 for every other method."""
    configs = getattr(model, "peft_config", {})
    weight = getattr(configs.get("default"), "orth_reg_weight", 0.0)
    if not weight:
        return 0.0
    factors = [
        p @ p.T if "lora_A" in name else p.T @ p
        for name, p in model.named_parameters()
        if "lora_A" in name or "lora_B" in name
    ]
    norms = [torch.linalg.norm(f - torch.eye(len(f), device=f.device)) for f in factors]
    return weight * torch.stack(norms).mean()


class Anchor:
    """An elastic penalty: the trained weights stay near where they began.

    L2-SP, https://arxiv.org/abs/1802.01483 - the elastic weight consolidation of
    https://arxiv.org/abs/1612.00796 with all weights equally important.
    """

    def __init__(self, model: Any, strength: float) -> None:
        self.strength = strength
        self.start = {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}

    def penalty(self, model: Any) -> Tensor:
        own = getattr(model, "module", model)
        moved = [
            (p - self.start[name].to(p.device)).pow(2).sum()
            for name, p in own.named_parameters()
            if name in self.start
        ]
        return self.strength * torch.stack(moved).sum()


class Start:
    """The trained weights as they were before training, to be mixed with what they become.

    The mean of both forgets less than the end and knows more than the start (WiSE-FT,
    https://arxiv.org/abs/2109.01903).
    """

    def __init__(self, model: Any) -> None:
        self._weights = {
            n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad
        }

    def mix_into(self, model: Any, share: float) -> None:
        """Changes the weights of ``model`` in place; ``share`` is the start's, 0 to 1."""
        own = getattr(model, "module", model)
        with torch.no_grad():
            for name, parameter in own.named_parameters():
                if name in self._weights:
                    parameter.lerp_(self._weights[name].to(parameter), share)


class LengthSampler(Sampler[int]):
    """Sequences of like length together, the order drawn by seed and epoch alone."""

    NEIGHBOURS = 50  # batches that are sorted together: little padding, and still a mixture

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self.lengths, self.batch_size, self.seed, self.epoch = lengths, batch_size, seed, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed * 100_003 + self.epoch)
        order = torch.randperm(len(self.lengths), generator=generator).tolist()
        size = self.batch_size * self.NEIGHBOURS
        batches = []
        for begin in range(0, len(order), size):
            near = sorted(order[begin : begin + size], key=lambda i: (-self.lengths[i], i))
            batches += [
                near[at : at + self.batch_size] for at in range(0, len(near), self.batch_size)
            ]
        # The longest first: what does not fit into memory fails at once.
        longest = max(range(len(batches)), key=lambda b: self.lengths[batches[b][0]])
        mixed = torch.randperm(len(batches), generator=generator).tolist()
        mixed.remove(longest)
        short = [b for b in [longest, *mixed] if len(batches[b]) < self.batch_size]
        full = [b for b in [longest, *mixed] if b not in short]
        for batch in [*full, *short]:
            yield from batches[batch]
