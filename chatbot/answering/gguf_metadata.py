"""What a GGUF file says of its model beside the weights: shapes, positions, tokenizer, template.

Made from the files of a transformers folder (config.json, tokenizer.json, chat template), so
that a converted package, a folder and a model from a hub are written alike.
Keys: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatbot.answering.merging import NotMergeable

if TYPE_CHECKING:
    from gguf import GGUFWriter

ARCHITECTURES = {"llama": "llama", "qwen2": "qwen2", "qwen3": "qwen3"}
"""transformers' model_type -> GGUF's architecture: those that OpenVINO GenAI reads."""

_NORMAL, _CONTROL, _USER_DEFINED, _UNUSED = 1, 3, 4, 5
_TEMPLATE = "chat_template.jinja"


@dataclass(frozen=True)
class Described:
    """A model's configuration as GGUF needs it."""

    folder: Path
    architecture: str
    config: dict[str, Any]

    @property
    def layers(self) -> int:
        return int(self.config["num_hidden_layers"])

    @property
    def heads(self) -> int:
        return int(self.config["num_attention_heads"])

    @property
    def key_heads(self) -> int:
        return int(self.config.get("num_key_value_heads") or self.heads)

    @property
    def head_width(self) -> int:
        return int(self.config.get("head_dim") or self.config["hidden_size"] // self.heads)


def describe(base: Path) -> Described:
    """Raises NotMergeable for a model that this writer does not know."""
    config: dict[str, Any] = json.loads((base / "config.json").read_text())
    kind = str(config.get("model_type"))
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if kind not in ARCHITECTURES:
        raise NotMergeable(f"{base.name} is a {kind} model; GGUF is written for {_KNOWN}")
    if rope.get("rope_type", rope.get("type", "default")) != "default":
        raise NotMergeable(f"{base.name} stretches its positions ({rope}), which is not written")
    return Described(base, ARCHITECTURES[kind], config)


_KNOWN = ", ".join(ARCHITECTURES)


def add_metadata(writer: GGUFWriter, model: Described, name: str) -> None:
    """Writes every key but the tensors. Raises NotMergeable for a tokenizer of another kind."""
    config = model.config
    rope = config.get("rope_parameters") or {}
    writer.add_name(name)
    writer.add_block_count(model.layers)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(model.heads)
    writer.add_head_count_kv(model.key_heads)
    writer.add_rope_freq_base(float(rope.get("rope_theta", config.get("rope_theta", 10000.0))))
    writer.add_rope_dimension_count(model.head_width)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    if model.architecture == "qwen3":
        writer.add_key_length(model.head_width)
        writer.add_value_length(model.head_width)
    _add_tokenizer(writer, model)


def _add_tokenizer(writer: GGUFWriter, model: Described) -> None:
    tokenizer = json.loads((model.folder / "tokenizer.json").read_text(encoding="utf-8"))
    if tokenizer["model"]["type"] != "BPE" or tokenizer["model"].get("byte_fallback"):
        raise NotMergeable(f"{model.folder.name} has no byte-level BPE tokenizer")
    words: dict[str, int] = dict(tokenizer["model"]["vocab"])
    kinds = dict.fromkeys(words.values(), _NORMAL)
    for token in tokenizer["added_tokens"]:
        words[token["content"]] = token["id"]
        kinds[token["id"]] = _CONTROL if token["special"] else _USER_DEFINED
    by_id = {index: word for word, index in words.items()}
    size = range(int(model.config["vocab_size"]))
    merges = [m if isinstance(m, str) else " ".join(m) for m in tokenizer["model"]["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(_splitting(tokenizer["pre_tokenizer"]))
    writer.add_token_list([by_id.get(index, f"[PAD{index}]") for index in size])
    writer.add_token_types([kinds.get(index, _UNUSED) for index in size])
    writer.add_token_merges(merges)
    for token_id, add in (
        ("bos_token_id", writer.add_bos_token_id),
        ("eos_token_id", writer.add_eos_token_id),
        ("pad_token_id", writer.add_pad_token_id),
        ("unk_token_id", writer.add_unk_token_id),
    ):
        value = model.config.get(token_id)
        if value is not None:
            add(value[0] if isinstance(value, list) else value)
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    template = model.folder / _TEMPLATE
    if template.exists():
        writer.add_chat_template(template.read_text(encoding="utf-8"))


def _splitting(pre_tokenizer: dict[str, Any]) -> str:
    """llama.cpp's name for how a text is split before the merges, told by its rules."""
    parts = json.dumps(pre_tokenizer)
    if '"Digits"' in parts:
        return "smollm"
    if "{1,3}" in parts:
        return "llama-bpe"
    return "qwen2" if '"Split"' in parts else "gpt-2"
