"""Trains the delta: a linear probe on frozen vectors first, then LoRA started from that probe.

The order matters (LP-FT, Kumar et al. 2022, arXiv:2202.10054): a head that already fits leaves
the encoder little reason to forget what it knows, which is what turns a plain fine-tune into a
detector of swear words. The probe also stays in the loss as a teacher: where a set does not say
(a missing label) its opinion stands in, and everywhere it tempers the targets.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chatbot.safety.checkpoint import CLASSES, FORMAT, State, pooling_state
from chatbot.safety.views import model_text
from finetune.toxicity_data import Row, matrix

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

Floats = NDArray[np.float32]
HEAD_SCALE = 4.0 / 384**0.5
"""The pooler starts as this times the identity: tanh is nearly linear there, so that the
classifier starts as a logistic regression on the mean-pooled vector."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the result; ``--config recipe.toml`` overrides the defaults."""

    seed: int = 17
    rank: int = 16
    alpha: int = 16
    dropout: float = 0.0  # a third of a step on a CPU, and one epoch hardly overfits
    epochs: float = 0.9
    learning_rate: float = 8e-4
    head_learning_rate: float = 4e-4
    warmup_share: float = 0.06
    weight_decay: float = 0.01
    tokens_per_batch: int = 2048
    max_tokens: int = 144
    """Of a text for probe and dev; serving reads windows, so that nothing is cut there."""
    train_tokens: int = 80
    """Of a text in a LoRA step: the longest tenth of the texts would take half of the time."""
    teacher_share: float = 0.15
    """How much of a known target is the probe's opinion."""
    missing_weight: float = 0.4
    """Weight in the loss of a label that only the probe fills in."""
    probe_l2: float = 2e-5
    checkpoint_every: int = 50
    label_weights: tuple[float, ...] = (2.0, 0.8, 1.0, 1.2, 1.2, 1.4)
    contrast_weight: float = 4.0
    attitude_rows: int = 350
    civil_share: float = 0.5
    """Of the Civil Comments rows; all of them would be a third of the training time."""
    blends: tuple[float, ...] = (0.75, 1.0)
    """Shares of the change from probe to fine-tune that are tried on dev (WiSE-FT)."""


class Encoded:
    """Token ids of all rows, cut to ``max_tokens``, and batches of about equal size."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_tokens: int
    ) -> None:
        import emoji  # noqa: F401  (loads its table once, before the loop)

        read = [model_text(text) for text in texts]
        self.ids: list[list[int]] = tokenizer(read, truncation=True, max_length=max_tokens)[
            "input_ids"
        ]
        self.lengths = np.array([len(ids) for ids in self.ids])

    def batches(self, tokens: int, rng: random.Random | None = None) -> list[list[int]]:
        """Rows grouped by length, at most ``tokens`` padded tokens a batch; shuffled by rng."""
        jitter = np.zeros(len(self.ids))
        if rng is not None:
            noise = np.random.default_rng(rng.randrange(2**32))
            jitter = noise.uniform(0, 6, len(self.ids))
        batches: list[list[int]] = [[]]
        for row in np.argsort(self.lengths + jitter, kind="stable"):
            longest = max((self.lengths[i] for i in batches[-1]), default=0)
            if batches[-1] and max(longest, self.lengths[row]) * (len(batches[-1]) + 1) > tokens:
                batches.append([])
            batches[-1].append(int(row))
        if rng is not None:
            rng.shuffle(batches)
        return batches

    def subset(self, rows: Sequence[int]) -> Encoded:
        """The given rows, in the given order."""
        part = object.__new__(Encoded)
        part.ids = [self.ids[i] for i in rows]
        part.lengths = self.lengths[list(rows)]
        return part

    def cut(self, tokens: int) -> Encoded:
        """The same rows, cut to ``tokens``, the closing [SEP] kept."""
        part = object.__new__(Encoded)
        part.ids = [i if len(i) <= tokens else [*i[: tokens - 1], i[-1]] for i in self.ids]
        part.lengths = np.minimum(self.lengths, tokens)
        return part

    def tensors(self, rows: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        longest = max(len(self.ids[i]) for i in rows)
        ids = torch.zeros((len(rows), longest), dtype=torch.long)
        mask = torch.zeros((len(rows), longest), dtype=torch.long)
        for place, i in enumerate(rows):
            ids[place, : len(self.ids[i])] = torch.tensor(self.ids[i])
            mask[place, : len(self.ids[i])] = 1
        return ids, mask


def build_model(base: Path, config_folder: Path) -> Any:
    """The seven-layer classifier with the probe's start of the pooler and a zero classifier."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig.from_pretrained(config_folder, num_labels=len(CLASSES))
    model = BertForSequenceClassification(config)
    state = pooling_state(base)
    state["bert.pooler.dense.weight"] = HEAD_SCALE * torch.eye(config.hidden_size)
    state["bert.pooler.dense.bias"] = torch.zeros(config.hidden_size)
    state["classifier.weight"] = torch.zeros(len(CLASSES), config.hidden_size)
    state["classifier.bias"] = torch.zeros(len(CLASSES))
    model.load_state_dict(state, strict=True)
    model.eval()  # type: ignore[no-untyped-call]
    return model


def run_model(
    model: Any, encoded: Encoded, tokens: int, shown: str, pooled: bool = False
) -> Floats:
    """Logits (rows, 6), or pooler outputs (rows, 384), in evaluation mode."""
    import torch
    from tqdm import tqdm  # type: ignore[import-untyped]

    model.eval()
    width = model.config.hidden_size if pooled else len(CLASSES)
    out = np.zeros((len(encoded.ids), width), dtype=np.float32)
    with torch.inference_mode(), tqdm(total=len(encoded.ids), desc=shown, unit="row") as bar:
        for rows in encoded.batches(tokens):
            ids, mask = encoded.tensors(rows)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                states = model.bert(input_ids=ids, attention_mask=mask).last_hidden_state[:, 0]
            vectors = torch.tanh(model.bert.pooler.dense(states.float()))
            out[rows] = (vectors if pooled else model.classifier(vectors)).numpy()
            bar.update(len(rows))
    return out


def fit_probe(features: Floats, rows: Sequence[Row], recipe: Recipe) -> tuple[Floats, Floats]:
    """Logistic regression per label on frozen vectors, soft targets, missing labels masked.

    Returns weights (6, 384) and biases (6,). Full-batch L-BFGS.
    """
    import torch

    values, weights = matrix(rows)
    known = torch.tensor(~np.isnan(values), dtype=torch.float32)
    known = known * torch.tensor(weights)[:, None]
    known = known / known.sum(0, keepdim=True)
    wanted = torch.tensor(np.nan_to_num(values))
    inputs = torch.tensor(features)
    weight = torch.zeros(len(CLASSES), features.shape[1], requires_grad=True)
    bias = torch.full((len(CLASSES),), -2.0, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=150, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        logits = inputs @ weight.T + bias
        losses = torch.nn.functional.binary_cross_entropy_with_logits(
            logits, wanted, reduction="none"
        )
        loss = (losses * known).sum() + recipe.probe_l2 * weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return weight.detach().numpy(), bias.detach().numpy()


def add_lora(model: Any, recipe: Recipe) -> Any:
    """LoRA on every linear layer of the encoder's own six layers; the head trains whole."""
    from peft import LoraConfig, get_peft_model

    last = model.config.num_hidden_layers - 2
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules=rf".*encoder\.layer\.[0-{last}]\..*(query|key|value|dense)",
    )
    adapted = get_peft_model(model, config)
    for name, parameter in adapted.named_parameters():
        if "pooler" in name or "classifier" in name:
            parameter.requires_grad = True
    return adapted


def trainable(model: Any) -> State:
    return {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}


def blend(start: State, end: State, share: float) -> State:
    """``share`` of the way from the probe to the fine-tune, in weights.

    Source: WiSE-FT, Wortsman et al. 2022, arXiv:2109.01903: a point on the line between the two
    is better than either on data of another kind. LoRA's B starts at zero, so that scaling B
    alone scales the change.
    """
    return {
        name: share * value
        if "lora_B" in name
        else value
        if "lora_A" in name
        else start[name] + share * (value - start[name])
        for name, value in end.items()
    }


def delta_of(state: State) -> State:
    """Peft's names -> names of the delta file, fp16."""
    import torch

    delta: State = {}
    for name, value in state.items():
        key = name.removeprefix("base_model.model.")
        for peft_name, own in (("lora_A", "lora_a"), ("lora_B", "lora_b")):
            key = key.replace(f".{peft_name}.default.weight", f".{own}")
        delta[key] = value.to(torch.float16).contiguous()
    return delta


def write_delta(path: Path, delta: State, recipe: Recipe, base_sha256: str) -> None:
    from safetensors.torch import save_file

    header = {
        "format": FORMAT,
        "base_sha256": base_sha256,
        "scale": str(recipe.alpha / recipe.rank),
        "classes": json.dumps(CLASSES),
        "recipe": json.dumps(asdict(recipe)),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(delta, path, metadata=header)
    path.chmod(0o644)  # safetensors writes for the owner alone; a package is read by others


def _epochs(encoded: Encoded, recipe: Recipe) -> Iterator[list[list[int]]]:
    epoch = 0
    while True:
        yield encoded.batches(recipe.tokens_per_batch, random.Random(recipe.seed + epoch))
        epoch += 1


def train(
    model: Any,
    encoded: Encoded,
    rows: Sequence[Row],
    teacher: Floats,
    recipe: Recipe,
    out: Path,
    *,
    resume: bool,
) -> None:
    """Trains ``model`` (with LoRA) in place; writes ``out``/state.pt to resume from."""
    import torch
    from tqdm import tqdm

    torch.manual_seed(recipe.seed)
    values, weights = matrix(rows)
    known = ~np.isnan(values)
    opinion = 1 / (1 + np.exp(-teacher))
    share = recipe.teacher_share
    wanted = np.where(known, (1 - share) * np.nan_to_num(values) + share * opinion, opinion)
    matters = np.where(known, 1.0, recipe.missing_weight) * weights[:, None]
    matters = matters * np.array(recipe.label_weights)
    targets = torch.tensor(wanted, dtype=torch.float32)
    importance = torch.tensor(matters / matters.mean(), dtype=torch.float32)

    head = [p for n, p in model.named_parameters() if p.requires_grad and "lora" not in n]
    lora = [p for n, p in model.named_parameters() if p.requires_grad and "lora" in n]
    optimizer = torch.optim.AdamW(
        [
            {"params": lora, "lr": recipe.learning_rate},
            {"params": head, "lr": recipe.head_learning_rate},
        ],
        weight_decay=recipe.weight_decay,
    )
    per_epoch = len(encoded.batches(recipe.tokens_per_batch, random.Random(recipe.seed)))
    total = max(1, int(per_epoch * recipe.epochs))
    warmup = max(1, int(total * recipe.warmup_share))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min((step + 1) / warmup, max(0.02, (total - step) / (total - warmup + 1))),
    )
    saved, step = out / "state.pt", 0
    if resume and saved.exists():
        state = torch.load(saved, weights_only=True)
        step = int(state["step"])
        model.load_state_dict(state["model"], strict=False)
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
    running, seen = 0.0, 0
    with tqdm(total=total, initial=step, desc="train", unit="step") as bar:
        for batches in _epochs(encoded, recipe):
            for batch in batches:
                if seen < step:  # resumed: the same order, the part already done is skipped
                    seen += 1
                    continue
                if step >= total:
                    return
                model.train()
                ids, mask = encoded.tensors(batch)
                with torch.autocast("cpu", dtype=torch.bfloat16):
                    logits = model(input_ids=ids, attention_mask=mask).logits.float()
                loss = (
                    torch.nn.functional.binary_cross_entropy_with_logits(
                        logits, targets[batch], reduction="none"
                    )
                    * importance[batch]
                ).mean()
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(lora + head, 1.0)
                optimizer.step()
                schedule.step()
                step, seen = step + 1, seen + 1
                running = 0.97 * running + 0.03 * loss.item() if running else loss.item()
                bar.set_postfix(loss=f"{running:.4f}")
                bar.update()
                if step % recipe.checkpoint_every == 0 or step == total:
                    _save(saved, model, optimizer, schedule, step)


def _save(path: Path, model: Any, optimizer: Any, schedule: Any, step: int) -> None:
    import torch

    partial = path.with_suffix(".partial")
    torch.save(
        {
            "step": step,
            "model": trainable(model),
            "optimizer": optimizer.state_dict(),
            "schedule": schedule.state_dict(),
        },
        partial,
    )
    partial.replace(path)
