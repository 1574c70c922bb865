"""How surprised a model is by the written answers, given the prompt that serving would build."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from chatbot.answering.transformers_engine import load_model
from finetune.answers_rows import IGNORED, AnswerRow, encode_row

ROWS = 48  # two seconds a row on one slow core; the figure is for reading, nothing hangs on it
MAX_TOKENS = 1100


def perplexity(base: Path, adapter: Path | None, rows: Sequence[AnswerRow]) -> float | None:
    """exp of the mean negative log-likelihood of an answer token, over the first ``ROWS`` rows
    with an answer; None where there is none."""
    import torch

    answered = [row for row in rows if not row.abstains][:ROWS]
    if not answered:
        return None
    model, tokenizer = load_model(base, adapter)
    total, tokens = 0.0, 0
    for row in answered:
        encoded = encode_row(tokenizer, row, MAX_TOKENS)
        if encoded is None:
            continue
        labels = torch.tensor(encoded["labels"])[1:]
        wanted = labels != IGNORED
        ids = torch.tensor([encoded["input_ids"]], device=model.device)
        with torch.inference_mode():
            logits = model(input_ids=ids).logits[0, :-1].float().cpu()[wanted]
        loss = torch.nn.functional.cross_entropy(logits, labels[wanted], reduction="sum")
        total, tokens = total + float(loss), tokens + int(wanted.sum())
    return round(math.exp(min(total / tokens, 50.0)), 3) if tokens else None
