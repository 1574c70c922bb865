"""``python -m finetune preferences``: direct preference optimisation from reviewers' decisions.

A pair is what the bot had drafted and what a person wrote in its place. Both are branches of one
prompt, so a pair costs little more than a row. Source: https://arxiv.org/abs/2305.18290, with the
ordinary loss on the chosen text beside it (https://arxiv.org/abs/2404.19733), without which a
small model unlearns both.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from chatbot.errors import SetupError
from finetune.answers import Run, log_too_long, remedies, run_training
from finetune.answers_batches import BranchCollator, encode_groups
from finetune.answers_recipe import AnswersRecipe
from finetune.answers_rows import AnswerRow, parsed_row

CHOSEN, REJECTED = 1, 2


@dataclass(frozen=True)
class Pair:
    chosen: AnswerRow
    rejected: AnswerRow


def read_pairs(path: Path) -> list[Pair]:
    """Raises SetupError naming line and field of the first row that cannot be used."""
    if not path.exists():
        raise SetupError(
            f"{path} does not exist; make it with 'python -m finetune prepare --from-desk "
            "--preferences FILE'"
        )
    pairs = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if line.strip():
            pairs.append(_pair(line, f"{path}:{number}"))
    if not pairs:
        raise SetupError(f"{path} holds no pair")
    return pairs


def train_preferences(
    recipe: AnswersRecipe,
    pairs: Sequence[Pair],
    out: Path,
    *,
    base: Path,
    start: Path,
    dev: Sequence[Pair] = (),
    resume: bool = False,
    seed: int | None = None,
    cpu: bool = False,
) -> dict[str, Any]:
    """Trains the adapter ``start`` on; it is the reference as well. Returns the metrics, with
    the share of pairs whose chosen text became likelier than the rejected one has."""
    import torch
    from transformers import AutoTokenizer

    from finetune.answers_model import trainable_model
    from finetune.preferences_trainer import PreferenceCollator, PreferenceTrainer, log_likelihoods

    if seed is not None:
        recipe = replace(recipe, seed=seed)
    if not recipe.branched or recipe.packing or recipe.method == "full":
        raise SetupError("preferences need method = 'lora' (or rslora, dora, qlora), no packing")
    tokenizer: Any = AutoTokenizer.from_pretrained(base)
    encoded, too_long = _encoded(tokenizer, pairs, recipe)
    dev_encoded, _ = _encoded(tokenizer, dev, recipe) if dev else ([], 0)
    with remedies(recipe):
        device = "cuda" if torch.cuda.is_available() and not cpu else "cpu"
        reference = trainable_model(recipe, base, start, 1).to(device).eval()
        collate = BranchCollator(tokenizer.pad_token_id, with_branches=True)
        for one in [*encoded, *dev_encoded]:
            one["reference"] = log_likelihoods(reference, collate([one]))[0].tolist()
        del reference
    run = Run(
        recipe=recipe,
        base=base,
        out=out,
        tokenizer=tokenizer,
        encoded=encoded,
        dev_encoded=dev_encoded,
        collator=PreferenceCollator(tokenizer.pad_token_id),
        data_sha256=_digest(pairs),
        samples=[pair.chosen for pair in dev],
        start=start,
        cpu=cpu,
        command="preferences",
    )
    counts = {"rows": len(encoded), "rows_too_long": too_long}
    return run_training(run, partial(PreferenceTrainer, recipe=recipe), counts, resume=resume)


def _encoded(
    tokenizer: Any, pairs: Sequence[Pair], recipe: AnswersRecipe
) -> tuple[list[dict[str, Any]], int]:
    found: list[dict[str, Any]] = []
    left_out: list[str] = []
    for pair in pairs:
        sequences, too_long = encode_groups(
            tokenizer, [pair.chosen, pair.rejected], recipe.max_tokens
        )
        if not too_long and len(sequences) == 1:
            found.append(sequences[0])
        else:
            left_out.append(pair.chosen.question)
    if not found:
        raise SetupError(
            f"none of {len(pairs)} pairs fits into max_tokens = {recipe.max_tokens}; raise it"
        )
    log_too_long(left_out, len(pairs), recipe.max_tokens)
    return found, len(left_out)


def _pair(line: str, where: str) -> Pair:
    try:
        content: Any = json.loads(line)
    except json.JSONDecodeError as error:
        raise SetupError(f"{where}: not JSON ({error.msg}); one object a line is needed") from None
    if not isinstance(content, dict):
        raise SetupError(f"{where}: an object is needed, not {type(content).__name__}")
    for name in ("chosen", "rejected"):
        if not isinstance(content.get(name), str) or not content[name].strip():
            raise SetupError(f"{where}: {name!r} is missing or empty")
    if content["chosen"].strip() == content["rejected"].strip():
        raise SetupError(f"{where}: 'chosen' and 'rejected' are the same text")
    chosen = parsed_row({**content, "answer": content["chosen"]}, where)
    return Pair(chosen, replace(chosen, answer=content["rejected"]))


def _digest(pairs: Sequence[Pair]) -> str:
    texts = [(p.chosen.question, p.chosen.answer, p.rejected.answer) for p in pairs]
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()
