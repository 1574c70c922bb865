"""The weights of the project's toxicity model: encoder + a layer that pools + a small delta."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatbot.errors import SetupError
from knowledge_base.encoder import EncoderFiles

if TYPE_CHECKING:
    import torch

CLASSES = ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate")
FORMAT = "deskgate-toxicity-1"
REMEDY = "reinstall the package, or train again with: python -m finetune toxicity"
MAX_TOKENS = 512  # position embeddings of the encoder
# The pooling layer adds the mean of all token states, this many times, to the state of [CLS]
# and normalises: what is left of the [CLS] state itself is below 0.1%.
MEAN_GAIN = 1000.0

State = dict[str, "torch.Tensor"]


def pooling_state(base: Path) -> State:
    """The encoder as a BertForSequenceClassification of one more layer, that averages tokens.

    Zero queries and keys make attention uniform over the tokens, values pass unchanged, and
    LayerNorm stands for normalisation: the [CLS] state after it is the mean-pooled sentence
    vector that the encoder was trained for, which a plain [CLS] head would throw away. The
    classifier is missing here: the delta brings pooler and classifier.
    """
    import torch
    from safetensors.torch import load_file

    state: State = {
        f"bert.{key}": value.to(torch.float32)
        for key, value in load_file(base).items()
        if not key.endswith("position_ids")
    }
    depth = 1 + max(int(k.split(".")[3]) for k in state if k.startswith("bert.encoder.layer."))
    for key, tensor in [(k, t) for k, t in state.items() if f"encoder.layer.{depth - 1}." in k]:
        name = key.replace(f"layer.{depth - 1}.", f"layer.{depth}.")
        if key.endswith("LayerNorm.weight"):
            state[name] = torch.ones_like(tensor)
        elif key.endswith("attention.self.value.weight"):
            state[name] = torch.eye(tensor.shape[0])
        elif key.endswith("attention.output.dense.weight"):
            state[name] = MEAN_GAIN * torch.eye(tensor.shape[0])
        else:
            state[name] = torch.zeros_like(tensor)
    return state


def merge(state: State, header: Mapping[str, str], factors: State) -> State:
    """Adds B·A·scale to each adapted weight and sets what the delta holds whole."""
    scale = float(header["scale"])
    merged = dict(state)
    for key, value in factors.items():
        if key.endswith(".lora_a"):
            name = key.removesuffix(".lora_a")
            change = factors[f"{name}.lora_b"].float() @ value.float()
            merged[f"{name}.weight"] = merged[f"{name}.weight"] + scale * change
        elif not key.endswith(".lora_b"):
            merged[key] = value.float()
    return merged


def read_delta(path: Path) -> tuple[dict[str, str], State]:
    """Header and tensors of a delta. Raises SetupError for a damaged or foreign file."""
    from safetensors import SafetensorError, safe_open

    header = read_header(path)
    try:
        with safe_open(path, framework="pt") as file:
            factors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise SetupError(
            f"the toxicity weights {path} cannot be read ({error}); {REMEDY}"
        ) from None
    return header, factors


def read_header(path: Path) -> dict[str, str]:
    """The header of a delta, without torch. Raises SetupError as ``read_delta`` does."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            header = dict(file.metadata() or {})
            names = set(file.keys())
    except (OSError, SafetensorError) as error:
        raise SetupError(
            f"the toxicity weights {path} cannot be read ({error}); {REMEDY}"
        ) from None
    if header.get("format") != FORMAT or "classifier.weight" not in names:
        raise SetupError(f"{path} is no delta of format {FORMAT} with a classifier; {REMEDY}")
    return header


def detoxify_document(state: State, folder: Path, classes: list[str]) -> dict[str, Any]:
    """The dictionary that Detoxify 0.5.4 loads; ``folder`` holds config.json and tokenizer."""
    arguments = {
        "model_type": str(folder),
        "model_name": "BertForSequenceClassification",
        "tokenizer_name": "BertTokenizer",
        "num_classes": len(classes),
    }
    return {
        "config": {"dataset": {"args": {"classes": classes}}, "arch": {"args": arguments}},
        "state_dict": state,
    }


def save_architecture(encoder: EncoderFiles, folder: Path) -> None:
    """config.json of the seven-layer classifier and the tokenizer, limited to 512 tokens."""
    from transformers import BertConfig

    config = BertConfig.from_pretrained(encoder.path)
    config.num_hidden_layers += 1
    config.architectures = ["BertForSequenceClassification"]
    config.num_labels = len(CLASSES)
    config.save_pretrained(folder)
    tokenizer = encoder.tokenizer()
    tokenizer.model_max_length = MAX_TOKENS
    tokenizer.save_pretrained(folder)
