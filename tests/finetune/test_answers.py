from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from chatbot.answering.base_model import prepare_base_model
from chatbot.answering.citations import split_marks
from chatbot.answering.prompt import ABSTENTION, build_segments, encode, text_ids
from chatbot.answering.scripted import ScriptedEngine
from chatbot.answering.served import check_adapter
from chatbot.answering.transformers_engine import load_model
from chatbot.errors import SetupError
from chatbot.settings import load_settings
from finetune.answers import AnswersRecipe, load_recipe, train_answers
from finetune.answers_batches import BranchCollator, encode_groups
from finetune.answers_eval import evaluate_generation
from finetune.answers_rows import (
    IGNORED,
    AnswerRow,
    PassageText,
    encode_row,
    read_rows,
    write_rows,
)
from finetune.synthesis import flatten, synthetic_groups


@pytest.fixture(scope="module")
def base(request: pytest.FixtureRequest) -> Path:
    data_dir = Path(request.config.cache.mkdir("answer-models"))
    return prepare_base_model(load_settings({}, data_dir=data_dir))


@pytest.fixture(scope="module")
def tokenizer(base: Path) -> Any:
    return AutoTokenizer.from_pretrained(base)


def row(**changes: Any) -> AnswerRow:
    values: dict[str, Any] = {
        "question": "How long?",
        "passages": (PassageText("Returns", "", "60 days."), PassageText("Other", "", "Red.")),
        "answer": "You have 60 days [1].",
    }
    return AnswerRow(**(values | changes))


def test_training_asks_exactly_as_serving_asks(tokenizer: Any) -> None:
    encoded = encode_row(tokenizer, row(), 500)
    assert encoded is not None
    segments = build_segments("our shop", row().as_passages(), (), "How long?")
    prompt = encode(tokenizer, segments)
    answer = [*text_ids(tokenizer, row().answer), tokenizer.eos_token_id]
    assert encoded["input_ids"] == prompt + answer
    assert encoded["labels"] == [IGNORED] * len(prompt) + answer


def test_a_long_row_loses_distractors_but_never_the_cited_passage(tokenizer: Any) -> None:
    distractor = PassageText("Long", "", "word " * 100)
    long = row(passages=(*row().passages[:1], distractor, distractor))
    encoded = encode_row(tokenizer, long, 260)
    assert encoded is not None
    assert "60 days." in tokenizer.decode(encoded["input_ids"])
    assert encode_row(tokenizer, long, 60) is None


def test_rows_of_one_group_train_as_if_they_stood_alone(base: Path, tokenizer: Any) -> None:
    rows = [row(), row(question="Which colour?", answer="It is red [2]."), row(answer=ABSTENTION)]
    sequences, too_long = encode_groups(tokenizer, rows, 900)
    assert (len(sequences), too_long) == (1, [])
    model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    batch = BranchCollator(tokenizer.pad_token_id)(sequences)
    labels = batch.pop("labels")[0]
    with torch.inference_mode():
        joined = model(**batch).logits[0]
        together = torch.nn.functional.cross_entropy(joined[:-1], labels[1:], reduction="sum")
        alone = torch.zeros(())
        for one in rows:
            encoded = encode_row(tokenizer, one, 900)
            assert encoded is not None
            logits = model(torch.tensor([encoded["input_ids"]])).logits[0, :-1]
            wanted = torch.tensor(encoded["labels"])[1:]
            alone += torch.nn.functional.cross_entropy(logits, wanted, reduction="sum")
    assert together.item() == pytest.approx(alone.item(), rel=1e-4)


def test_synthetic_answers_are_made_of_their_passages() -> None:
    rows = list(flatten(synthetic_groups(60, seed=3)))
    assert rows == list(flatten(synthetic_groups(60, seed=3)))
    kinds = {r.kind for r in rows}
    assert {"lookup", "unsaid", "double", "follow-up", "steps", "injection"} <= kinds
    assert 0.12 < sum(r.abstains for r in rows) / len(rows) < 0.35
    for r in rows:
        text, cited = split_marks(r.answer, len(r.passages))
        assert set(cited) == set(r.gold)
        if not r.abstains and "|" not in " ".join(p.text for p in r.passages):
            shown = " ".join(r.passages[n - 1].text for n in cited)
            assert (
                all(line.rstrip(".") in shown for line in text.split("\n")[:1])
                or r.kind == "double"
            )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "rows.jsonl:2: not JSON"),
        ("[]", "rows.jsonl:2: an object is needed, not list"),
        ('{"question": "q", "answer": " "}', "rows.jsonl:2: 'answer' is missing or empty"),
        ('{"question": "q", "answer": "a", "passages": [{}]}', "a passage needs 'text'"),
        ('{"question": "q", "answer": "a [3]."}', r"rows.jsonl:2: the answer cites \[3\] of 0"),
    ],
)
def test_a_broken_row_is_named_by_file_line_and_field(
    tmp_path: Path, line: str, message: str
) -> None:
    file = tmp_path / "rows.jsonl"
    write_rows(file, [row()])
    file.write_text(file.read_text() + line)
    with pytest.raises(SetupError, match=message):
        read_rows([file])


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    rows = list(flatten(synthetic_groups(4, seed=1)))
    write_rows(tmp_path / "r.jsonl", rows)
    assert read_rows([tmp_path / "r.jsonl"]) == rows


def test_a_recipe_with_an_unknown_key_or_type_is_refused(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("[answers]\nrank = 8\nlearning_rate = 1\n")
    assert load_recipe(recipe) == AnswersRecipe(rank=8, learning_rate=1.0)
    recipe.write_text("[answers]\nranks = 8\n")
    with pytest.raises(SetupError, match="unknown key 'ranks'; known: accumulate"):
        load_recipe(recipe)
    recipe.write_text("[answers]\nrank = '8'\n")
    with pytest.raises(SetupError, match="rank must be a int"):
        load_recipe(recipe)


async def test_evaluation_judges_right_cited_and_abstained() -> None:
    rows = [row(gold=(1,)), row(gold=(1,), must=("ninety",)), row(answer=ABSTENTION)]
    good = await evaluate_generation(rows, ScriptedEngine("You have 60 days [1]."))
    assert good["right_answered"] == 0.5
    assert good["cited"] == 1.0
    assert good["abstained_right"] == 0.0
    silent = await evaluate_generation(rows, ScriptedEngine(ABSTENTION))
    assert silent["abstained_right"] == 1.0
    assert silent["abstained_wrong"] == 1.0


# transformers 5.23 reads a property that it has itself deprecated.
@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning")
@pytest.mark.full
def test_a_short_training_gives_an_adapter_that_serves(base: Path, tmp_path: Path) -> None:
    rows = list(flatten(synthetic_groups(6, seed=5)))
    recipe = AnswersRecipe(rank=4, batch_size=2, log_every_steps=1)
    metrics = train_answers(recipe, rows, tmp_path, base=base)
    assert metrics["loss_last"] < metrics["loss_first"]
    assert check_adapter(tmp_path, base).rank == 4
    assert str(tmp_path) not in (tmp_path / "adapter_config.json").read_text()
    load_model(base, tmp_path)
