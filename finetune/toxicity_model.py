"""The model while it is trained: token batches, frozen forward passes, LoRA and its delta."""

from __future__ import annotations

import random
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chatbot.errors import SetupError
from chatbot.safety.toxicity_weights import CLASSES, State, pooling_state
from chatbot.safety.views import model_text

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

Floats = NDArray[np.float32]
FEATURE_TOKENS = 8192  # a forward pass keeps nothing, so that its batches can be larger
PEFT = "base_model.model."  # before every name of an adapted model
HEAD_SCALE = 4.0 / 384**0.5
"""The pooler starts as this times the identity: tanh is nearly linear there, so that the
classifier starts as a logistic regression on the mean-pooled vector."""


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
    # Dropout costs a third of a CPU step, and its noise hid the probe's own fit (0.33, not 0.30).
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.0
    model = BertForSequenceClassification(config)
    state = pooling_state(base)
    state["bert.pooler.dense.weight"] = HEAD_SCALE * torch.eye(config.hidden_size)
    state["bert.pooler.dense.bias"] = torch.zeros(config.hidden_size)
    state["classifier.weight"] = torch.zeros(len(CLASSES), config.hidden_size)
    state["classifier.bias"] = torch.zeros(len(CLASSES))
    model.load_state_dict(state, strict=True)
    model.eval()  # type: ignore[no-untyped-call]
    return model


def sentence_states(
    model: Any, encoded: Encoded, tokens: int, shown: str, *, exact: bool = False
) -> Floats:
    """Mean token states (rows, 384), as the last layer hands them to its feed-forward part.

    In bfloat16, or with ``exact`` in float32 as in serving.
    """
    import torch
    from tqdm import tqdm  # type: ignore[import-untyped]

    model.eval()
    out = np.zeros((len(encoded.ids), model.config.hidden_size), dtype=np.float32)
    seen: list[torch.Tensor] = []
    mean = model.bert.encoder.layer[-1].attention.output
    hook = mean.register_forward_hook(lambda *found: seen.append(found[2][:, 0].float()))
    try:
        with torch.inference_mode(), tqdm(total=len(encoded.ids), desc=shown, unit="row") as bar:
            for rows in encoded.batches(tokens):
                ids, mask = encoded.tensors(rows)
                with torch.autocast("cpu", dtype=torch.bfloat16, enabled=not exact):
                    model.bert(input_ids=ids, attention_mask=mask)
                out[rows] = seen.pop().numpy()
                bar.update(len(rows))
    finally:
        hook.remove()
    return out


def pooled(model: Any, states: torch.Tensor, dropout: float = 0.0) -> torch.Tensor:
    """What the classifier reads, from the states of ``sentence_states``."""
    import torch

    last = model.bert.encoder.layer[-1]
    inner = torch.nn.functional.dropout(last.intermediate(states), dropout, training=dropout > 0)
    return torch.tanh(model.bert.pooler.dense(last.output(inner, states)))


def head_logits(model: Any, states: Floats) -> Floats:
    """Logits (rows, 6) from the states of ``sentence_states``, in float32."""
    import torch

    with torch.inference_mode():
        logits: Floats = model.classifier(pooled(model, torch.tensor(states))).numpy()
    return logits


def add_lora(model: Any, rank: int, alpha: int, dropout: float) -> Any:
    """LoRA on every linear layer of the encoder's own six layers; the head trains whole."""
    from peft import LoraConfig, get_peft_model

    last = model.config.num_hidden_layers - 2
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules=rf".*encoder\.layer\.[0-{last}]\..*(query|key|value|dense)",
    )
    with warnings.catch_warnings():
        # peft 0.21 asks transformers 5.23 for a property under its old name.
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated")
        adapted = get_peft_model(model, config)
    for name, parameter in adapted.named_parameters():
        if "pooler" in name or "classifier" in name:
            parameter.requires_grad = True
    return adapted


def trainable(model: Any) -> State:
    return {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}


def blend(start: State, end: State, share: float) -> State:
    """``share`` of the way from where the fine-tune began to where it ended, in weights.

    Source: WiSE-FT, Wortsman et al. 2022, arXiv:2109.01903: a point on the line between the two
    is better than either on data of another kind.
    """
    return {name: start[name] + share * (value - start[name]) for name, value in end.items()}


def delta_of(state: State) -> State:
    """Peft's names -> names of the delta file, fp16."""
    import torch

    return {_own_name(name): value.to(torch.float16).contiguous() for name, value in state.items()}


def resume_from(adapted: Any, header: Mapping[str, str], factors: State, scale: float) -> None:
    """Puts a delta's factors, pooler and classifier into a model with LoRA, to train it on.

    Raises SetupError when the delta was made with another rank or scale.
    """
    state = trainable(adapted)
    for name, value in state.items():
        kept = factors.get(_own_name(name))
        if kept is None or kept.shape != value.shape or float(header["scale"]) != scale:
            shape = "missing" if kept is None else tuple(kept.shape)
            raise SetupError(
                f"the delta to start from has {_own_name(name)} {shape} at scale "
                f"{header['scale']}, the recipe needs {tuple(value.shape)} at {scale}; "
                "set rank and alpha as in the delta's own recipe"
            )
        state[name] = kept.float()
    whole = {f"{PEFT}{key}": value.float() for key, value in factors.items() if ".lora_" not in key}
    adapted.load_state_dict(state | whole, strict=False)
    for name, parameter in adapted.named_parameters():
        parameter.requires_grad |= name in whole


def _own_name(name: str) -> str:
    key = name.removeprefix(PEFT)
    for peft_name, own in (("lora_A", "lora_a"), ("lora_B", "lora_b")):
        key = key.replace(f".{peft_name}.default.weight", f".{own}")
    return key
