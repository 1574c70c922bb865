"""Reviewers' decisions move an adapter towards what they wrote."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from chatbot.errors import SetupError
from finetune.answers import AnswersRecipe, train_answers
from finetune.answers_batches import BranchCollator, encode_groups
from finetune.answers_model import trainable_model
from finetune.preferences import Pair, read_pairs, train_preferences
from finetune.preferences_trainer import log_likelihoods
from tests.finetune.tiny import colour_rows

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")

RECIPE = AnswersRecipe(
    rank=4, alpha=8, learning_rate=5e-3, epochs=3, batch_size=2, max_tokens=900,
    log_every_steps=1, save_every_steps=100, preference_beta=1.0,
)  # fmt: skip


def pairs(count: int) -> list[Pair]:
    return [Pair(row, replace(row, answer="No idea.")) for row in colour_rows(count)]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, small_base: Path) -> Path:
    out = tmp_path_factory.mktemp("first") / "out"
    train_answers(replace(RECIPE, epochs=1), colour_rows(8), out, base=small_base, cpu=True)
    return out


def margin(base: Path, adapter: Path) -> float:
    """How much likelier the chosen texts are, on average."""
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = trainable_model(RECIPE, base, adapter, 1).eval()
    collate = BranchCollator(tokenizer.pad_token_id, with_branches=True)
    found = []
    for pair in pairs(6):
        sequences, _ = encode_groups(tokenizer, [pair.chosen, pair.rejected], 900)
        chosen, rejected = log_likelihoods(model, collate(sequences))[0].tolist()
        found.append(chosen - rejected)
    return float(sum(found) / len(found))


def test_the_chosen_text_becomes_likelier_than_the_rejected(
    tmp_path: Path, small_base: Path, first: Path
) -> None:
    metrics = train_preferences(
        RECIPE, pairs(12), tmp_path / "out", base=small_base, start=first, cpu=True
    )
    assert metrics["loss_last"] < metrics["loss_first"]
    assert margin(small_base, tmp_path / "out") > margin(small_base, first) + 1.0


def test_both_texts_of_a_pair_are_scored_as_if_they_stood_alone(
    small_base: Path, first: Path
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(small_base)
    model = trainable_model(RECIPE, small_base, first, 1).eval()
    pair = pairs(1)[0]
    collate = BranchCollator(tokenizer.pad_token_id, with_branches=True)
    both, _ = encode_groups(tokenizer, [pair.chosen, pair.rejected], 900)
    together = log_likelihoods(model, collate(both))[0]
    for place, row in enumerate((pair.chosen, pair.rejected)):
        alone, _ = encode_groups(tokenizer, [row], 900)
        single = log_likelihoods(model, collate(alone))[0, 0]
        assert torch.isclose(together[place], single, atol=1e-3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", ":2: not JSON"),
        ("[]", ":2: an object is needed"),
        ('{"question": "q", "chosen": "a", "rejected": " "}', ":2: 'rejected' is missing or empty"),
        ('{"question": "q", "chosen": "a", "rejected": "a "}', "are the same text"),
        ('{"question": "q", "chosen": "a [2].", "rejected": "b"}', r"cites \[2\] of 0 passages"),
    ],
)
def test_a_broken_pair_is_named_by_its_line(tmp_path: Path, content: str, message: str) -> None:
    good = {**asdict(colour_rows(1)[0]), "chosen": "It is red [1].", "rejected": "No."}
    file = tmp_path / "pairs.jsonl"
    file.write_text(f"{json.dumps(good)}\n{content}\n")
    with pytest.raises(SetupError, match=message):
        read_pairs(file)
    file.write_text(json.dumps(good))
    assert read_pairs(file)[0].rejected.answer == "No."


def test_a_recipe_that_pairs_cannot_use_is_refused(
    tmp_path: Path, small_base: Path, first: Path
) -> None:
    with pytest.raises(SetupError, match="preferences need method = 'lora'"):
        train_preferences(
            replace(RECIPE, method="full"), pairs(2), tmp_path, base=small_base, start=first
        )
