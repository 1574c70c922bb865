"""What happens beside the steps: best weights kept, early stopping, sample answers, AdaLoRA."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import TrainerCallback

from chatbot.answering.prompt import build_segments, encode
from chatbot.errors import SetupError
from finetune.answers_rows import AnswerRow

NOTE, BEST = "best.json", "best.safetensors"
SAMPLES = 3
SAMPLE_TOKENS = 60


class BestKept(TrainerCallback):
    """Keeps the weights with the lowest dev loss in ``folder``, and stops when ``patience``
    evaluations brought no better ones. A resumed run goes on from what is on disk."""

    def __init__(self, folder: Path, patience: int) -> None:
        self.folder, self.patience = folder, patience
        self.losses: list[tuple[int, float]] = []
        """(step, dev loss), the same on every process."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        note = self.folder / NOTE
        kept = json.loads(note.read_text()) if state.global_step and note.exists() else []
        self.losses = [(step, loss) for step, loss in kept if step <= state.global_step]

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        metrics, model = kwargs["metrics"], kwargs["model"]
        known = [(step, loss) for step, loss in self.losses if step < state.global_step]
        loss = float(metrics["eval_loss"])
        better = loss < min((other for _, other in known), default=float("inf"))
        self.losses = [*known, (state.global_step, loss)]
        if state.is_world_process_zero:
            self._keep(model if better else None)
        since = [step for step, _ in self.losses].index(self.best_step or 0)
        if self.patience and len(self.losses) - 1 - since >= self.patience:
            control.should_training_stop = True

    def _keep(self, model: Any | None) -> None:
        """The losses, and where ``model`` is given its weights; each whole or not at all."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if model is not None:
                save_file(_trained(model), self.folder / f"{BEST}.part")
                (self.folder / f"{BEST}.part").replace(self.folder / BEST)
            (self.folder / f"{NOTE}.part").write_text(json.dumps(self.losses) + "\n")
            (self.folder / f"{NOTE}.part").replace(self.folder / NOTE)
        except (OSError, SafetensorError) as error:
            raise SetupError(
                f"the best weights cannot be kept in {self.folder} ({error}); make room and go on "
                "with --resume: the last checkpoint is whole"
            ) from error

    @property
    def best_step(self) -> int | None:
        """None before the first evaluation."""
        return min(self.losses, key=lambda entry: entry[1])[0] if self.losses else None

    def restore(self, model: Any) -> int | None:
        """Puts the best weights back; the step they are of, None where none were kept."""
        if self.best_step is None or not (self.folder / BEST).exists():
            return None
        kept = load_file(self.folder / BEST)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name in kept:
                    parameter.copy_(kept[name])
        return self.best_step


class Samples(TrainerCallback):
    """Answers of the model in training, beside the dev loss: progress that a person can read."""

    def __init__(self, rows: Sequence[AnswerRow], tokenizer: Any) -> None:
        step = max(1, len(rows) // SAMPLES)
        self.rows, self.tokenizer = rows[::step][:SAMPLES], tokenizer
        self.found: list[dict[str, Any]] = []

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if not state.is_world_process_zero:
            return
        for row in self.rows:
            answer = self._answer(kwargs["model"], row)
            self.found.append(
                {"step": state.global_step, "question": row.question, "answer": answer}
            )

    def _answer(self, model: Any, row: AnswerRow) -> str:
        segments = build_segments(row.company, row.as_passages(), row.history, row.question)
        ids = torch.tensor([encode(self.tokenizer, segments)], device=model.device)
        was_training = model.training
        model.eval()
        try:
            with torch.inference_mode():
                written = model.generate(
                    input_ids=ids,
                    attention_mask=torch.ones_like(ids),
                    max_new_tokens=SAMPLE_TOKENS,
                    do_sample=False,
                )
        finally:
            model.train(was_training)
        return str(self.tokenizer.decode(written[0, ids.shape[1] :], skip_special_tokens=True))


class RankAllocation(TrainerCallback):
    """AdaLoRA gives its ranks to where they count, between backward and the next step."""

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        own = getattr(kwargs["model"], "module", kwargs["model"])
        own.base_model.update_and_allocate(state.global_step + 1)


def _trained(model: Any) -> dict[str, torch.Tensor]:
    return {
        name: parameter.detach().cpu().clone()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }
