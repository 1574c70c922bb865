"""A base model of the real one's kind and a few thousand weights, made in a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from finetune.answers_rows import AnswerRow, PassageText

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
COLOURS = ("red", "blue", "green", "black", "white", "grey")


def tiny_base(folder: Path, *, hidden: int = 32, seed: int = 1) -> Path:
    """Saved as transformers loads it: ChatML, one token a byte."""
    letters = sorted(ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*SPECIAL, *letters])}
    own = Tokenizer(BPE(vocab=vocabulary, merges=[]))
    own.pre_tokenizer = ByteLevel(add_prefix_space=False)
    own.decoder = ByteLevelDecoder()
    own.add_special_tokens(list(SPECIAL))
    make: Any = PreTrainedTokenizerFast
    tokenizer = make(
        tokenizer_object=own, eos_token=SPECIAL[2], pad_token=SPECIAL[2], bos_token=SPECIAL[1]
    )
    torch.manual_seed(seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(vocabulary), hidden_size=hidden, intermediate_size=2 * hidden,
            num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
            max_position_embeddings=2048, eos_token_id=2, pad_token_id=2, bos_token_id=1,
            tie_word_embeddings=True,
        )
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def colour_rows(count: int) -> list[AnswerRow]:
    """Short rows, two of a prompt each, that a tiny model can get better at."""
    rows = []
    for number in range(count):
        colour = COLOURS[number // 2 % len(COLOURS)]
        passages = (PassageText("Tent", "", f"It is {colour}."),)
        asked = f"Which colour {number % 2}?"
        rows.append(AnswerRow(asked, passages, f"It is {colour} [1].", company="A", gold=(1,)))
    return rows
