"""Rows, corruptions, training and evaluation of the grounding head."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from chatbot.errors import SetupError
from chatbot.safety.facts import find_facts
from chatbot.safety.grounding import WEIGHTS
from chatbot.safety.grounding_head import GroundingHead, read_manifest
from chatbot.types import Passage
from finetune.grounding import Recipe, evaluate_grounding, load_recipe, train_grounding
from finetune.grounding_build import TRAINED, all_texts, build_rows
from finetune.grounding_corrupt import CORRUPTIONS, HELD_OUT, Pool, corrupted
from finetune.grounding_evaluate import evaluated
from finetune.grounding_paraphrase import paraphrased, rows_said
from finetune.grounding_rows import GroundingRow, Text, claims_in, read_rows
from knowledge_base.encoder import EncoderFiles

TEXT = Text(
    Passage(
        "returns", "0" * 12, "returns#0", "Returns", "", "",
        "You can return unworn items within 60 days of delivery, unless they were engraved. "
        "Standard returns from Germany cost €4.95 and refunds take 3 to 5 working days.",
        1.0,
    ),
    (
        Passage(
            "returns", "0" * 12, "returns#1", "Returns", "Boots", "",
            "The workshop in Kendal waxes leather boots for £12 while you wait.", 1.0,
        ),
    ),
    (), "train", "sample",
)  # fmt: skip
POOL = Pool(("Circle", "Mend"), (TEXT,))
CLAIM = "You can return unworn items within 60 days of delivery, unless they were engraved."


def corrupt(claim: str, kind: str, seed: int = 0) -> str | None:
    return corrupted(claim, kind, TEXT, POOL, random.Random(seed))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", sorted(CORRUPTIONS))
def test_a_corruption_changes_the_claim_or_cannot_be_made(kind: str, seed: int) -> None:
    result = corrupt(CLAIM, kind, seed)
    assert result is None or (result != CLAIM and result[0].isupper())


@pytest.mark.parametrize("seed", range(5))
def test_another_number_is_another_fact(seed: int) -> None:
    result = corrupt(CLAIM, "number", seed)
    assert result is not None
    assert [f.value for f in find_facts(result)] != [f.value for f in find_facts(CLAIM)]


def test_not_goes_in_and_out() -> None:
    without = corrupt("You can return engraved items by post.", "negation")
    assert without is not None
    assert {"not", "never"} & set(without.split())
    assert corrupt("You cannot return engraved items.", "negation") == (
        "You can return engraved items."
    )


def test_two_values_of_a_sentence_change_places() -> None:
    assert corrupt("Refunds take 3 to 5 working days.", "exchanged") is not None


def test_a_sentence_that_the_passage_says_is_no_corruption() -> None:
    neighbour = Text(TEXT.passage, (TEXT.passage,), (), "train", "sample")
    pool = Pool((), (neighbour,))
    assert corrupted(CLAIM, "neighbour", neighbour, pool, random.Random(0)) is None


@pytest.mark.parametrize("seed", range(20))
def test_a_paraphrase_keeps_every_number(seed: int) -> None:
    claim = "You must return unworn items within 60 days because they go back on sale."
    reworded = paraphrased(claim, random.Random(seed))
    numbers = [f.value for f in find_facts(reworded) if f.number]
    assert numbers == ["time:5184000"]


def test_table_cells_are_said_with_row_and_column() -> None:
    table = "| To | Standard | Express |\n|---|---|---|\n| Germany | €4.95 | €11.95 |"
    assert "For Germany, express is €11.95." in rows_said(table)


def test_only_statements_of_a_reply_are_claims() -> None:
    reply = "Yes, we offer free wifi in every room. Would you like to book? Thank you!"
    assert claims_in(reply) == ["Yes, we offer free wifi in every room."]


@pytest.fixture(scope="module")
def rows() -> list[GroundingRow]:
    texts = all_texts(None)
    kept = [t for split in ("train", "dev", "test") for t in
            [x for x in texts if x.split == split][:25]]  # fmt: skip
    return build_rows(kept, seed=1)


def test_held_out_mistakes_are_never_trained_on(rows: list[GroundingRow]) -> None:
    assert not set(TRAINED) & HELD_OUT
    kinds = {row.kind.split(":")[-1] for row in rows if row.split != "test" and not row.label}
    assert kinds
    assert not kinds & HELD_OUT


def test_no_article_is_in_two_splits(rows: list[GroundingRow]) -> None:
    of_article: dict[str, set[str]] = {}
    for row in rows:
        of_article.setdefault(row.passage.article, set()).add(row.split)
    assert all(len(splits) == 1 for splits in of_article.values())


def test_the_same_seed_gives_the_same_rows() -> None:
    texts = all_texts(None)[:6]
    assert build_rows(texts, seed=3) == build_rows(texts, seed=3)


def test_the_served_head_tells_a_few_rows_apart(tmp_path: Path) -> None:
    place = {"title": "Returns", "heading": "", "text": TEXT.passage.text}
    path = tmp_path / "rows.jsonl"
    path.write_text(
        "".join(
            json.dumps({"claim": claim, "passage": place, "supported": label}) + "\n"
            for claim, label in (
                ("Returns from Germany cost €4.95.", True),
                ("Refunds take 3 to 5 working days.", True),
                ("Returns from Germany cost €9.95.", False),
                ("Engraved items are waxed on Sundays by our gardeners.", False),
            )
        ),
        "utf-8",
    )
    figures = evaluate_grounding(WEIGHTS, read_rows(path))
    assert figures["headline"]["n"] == 4
    assert figures["headline"]["balanced_accuracy"] == 1.0


def test_a_row_without_its_passage_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"claim": "x", "supported": true}\n', "utf-8")
    with pytest.raises(SetupError, match=r"rows\.jsonl:1"):
        read_rows(path)


def test_a_missing_head_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="finetune grounding"):
        GroundingHead.load(tmp_path, EncoderFiles())


def test_a_head_of_another_encoder_is_refused(tmp_path: Path) -> None:
    manifest = read_manifest(WEIGHTS).model_copy(update={"encoder_digest": "0" * 12})
    (tmp_path / "grounding.json").write_text(manifest.model_dump_json(), "utf-8")
    with pytest.raises(SetupError, match="000000000000"):
        GroundingHead.load(tmp_path, EncoderFiles())


def test_an_unknown_recipe_name_is_refused(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("epoch = 3\n", "utf-8")
    with pytest.raises(SetupError, match="'epoch'"):
        load_recipe(recipe)


def test_missing_public_sets_are_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="logingov_help"):
        all_texts(tmp_path)


@pytest.mark.full
def test_a_small_training_run_writes_a_head_that_loads(tmp_path: Path) -> None:
    recipe = Recipe(rank=2, alpha=4, epochs=1, most_rows=64, dev_rows=80, test_rows=40)
    figures = train_grounding(None, tmp_path, recipe)
    assert 0 < figures["threshold"] < 1
    head = GroundingHead.load(tmp_path, EncoderFiles())
    assert head.logits([("You have 60 days.", "Returns. You have 60 days.")]).shape == (1,)
    assert (tmp_path / "card.md").is_file()
    assert json.loads((tmp_path / "metrics.json").read_text("utf-8"))["test"]


def test_mistakes_about_borrowed_rows_are_counted_and_not_repeated() -> None:
    false = "You can return unworn items within 90 days of delivery."
    own = GroundingRow(false, TEXT.passage, 1, "human", "test")  # labelled wrongly on purpose
    borrowed = replace(own, borrowed=True)
    found = evaluated(GroundingHead.load(WEIGHTS, EncoderFiles()), [own, borrowed])
    assert found["headline"]["human_recall"] == 0.0
    assert [mistake["claim"] for mistake in found["mistakes"]] == [false]


def test_rows_of_public_sets_are_borrowed() -> None:
    public = replace(TEXT, origin="dstc9")
    made = {row.borrowed for row in build_rows([public], seed=1)}
    assert made == {True}
    assert {row.borrowed for row in build_rows([TEXT], seed=1)} == {False}
