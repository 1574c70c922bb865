from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from finetune.late_interaction import train_late_interaction
from finetune.reranker_measure import best_weight, mixed, platt, reciprocal_ranks, trade_off
from finetune.reranker_recipe import SECOND, Recipe
from finetune.reranker_rows import (
    Group,
    Judged,
    answering,
    sample_groups,
    sample_rows,
    shown,
    unit_labels,
    worn,
)
from finetune.reranker_sources import synthetic
from finetune.reranker_train import logits_of, loss_of, train_cross_encoder
from knowledge_base.chunking import Chunk
from knowledge_base.encoder import EncoderFiles
from knowledge_base.late_interaction import LateInteraction
from knowledge_base.reranker import MANIFEST, TENSORS, Manifest, Reranker, Stage


def piece(article: str, ordinal: int, text: str) -> Chunk:
    return Chunk(article, ordinal, article.title(), "", "", text)


RETURNS = (
    piece("returns", 0, "You have 60 days to return an item."),
    piece("returns", 1, "The label costs £3.50."),
    piece("gifts", 0, "A gift card is valid for five years."),
)


def row(**values) -> dict:
    plain = {"id": "x-1", "question": "q", "articles": ["returns"], "history": [], "must": []}
    return plain | {"answer": "", "expect": "answer"} | values


def judged(one: dict, labels: tuple, relevance=(0.5, 0.4, 0.3)) -> Judged:
    return Judged(one, one["question"], RETURNS, labels, relevance, ())


def test_a_passage_answers_when_it_fits_every_pattern():
    assert answering(row(must=["60\\s*days"]), RETURNS) == {"returns#0"}


def test_without_a_fitting_passage_the_answers_words_decide():
    one = row(must=["refund", "label"], answer="The label costs £3.50, off the refund.")
    assert answering(one, RETURNS) == {"returns#1"}


def test_a_group_has_the_answer_first_and_leaves_out_what_nobody_can_tell():
    group = sample_groups([judged(row(), (1, None, 0))], random.Random(1))[0]
    expected = [shown(RETURNS[n], RETURNS[n].text) for n in (0, 2)]
    assert group.passages == tuple(expected)
    assert group.labels == (1, 0)


def test_in_a_passage_that_answers_only_the_fitting_unit_is_right():
    part = piece("returns", 0, "You have 60 days to return an item. The label costs £3.50.")
    assert unit_labels(row(must=["60\\s*days"]), part, 1) == [1, None]
    assert unit_labels(row(must=["60\\s*days"]), part, 0) == [0, 0]


def test_an_unanswerable_question_has_only_negatives():
    one = row(articles=[], expect="abstain")
    assert set(sample_groups([judged(one, (0, 0, 0))], random.Random(1))[0].labels) == {0}


def test_questions_about_one_article_are_held_out_together():
    rows = [judged(row(id=f"x-{n}"), (1, None, 0)) for n in range(9)]
    assert len({one.held_out for one in rows}) == 1


def test_no_dev_or_test_question_is_a_train_question():
    learned = {one["question"] for one in sample_rows("train")}
    for split in ("dev", "test"):
        assert not learned & {one["question"] for one in sample_rows(split)}


def test_invented_pages_ask_for_what_they_do_not_say_too():
    groups = synthetic(30, random.Random(3))
    assert any(1 in group.labels for group in groups)
    assert any(1 not in group.labels for group in groups)


def test_worn_questions_differ_for_about_a_third():
    rng = random.Random(2)
    question = "How long does standard delivery to Germany take?"
    changed = sum(worn(question, rng) != question for _ in range(300))
    assert 60 < changed < 140


def test_the_floor_keeps_the_wanted_share():
    rows = [judged(row(), (1, None, 0)) for _ in range(40)]
    rows += [judged(row(articles=[], expect="abstain"), (0, 0, 0)) for _ in range(20)]
    scores = [np.full(3, (n + 1) / 100, np.float32) for n in range(60)]
    for line in trade_off(rows, scores):
        assert line["answerable_kept"] >= line["wanted"]


def test_of_equally_good_weights_the_one_that_silences_most_is_taken():
    ranks = {0.0: 0.7, 0.2: 0.9, 0.4: 0.901, 0.6: 0.899, 0.8: 0.8}
    silent = {0.0: 0.1, 0.2: 0.2, 0.4: 0.3, 0.6: 0.4, 0.8: 0.9}
    assert best_weight(ranks, silent) == 0.6


def test_calibration_turns_good_logits_into_probabilities():
    rows = [judged(row(), (1, 0, 0)) for _ in range(10)]
    found = platt(rows, [{0: (2.0,), 1: (-1.0,), 2: (-2.0,)} for _ in rows])
    assert found["temperature"] > 0
    assert found["beside"] == 0.0
    own = [np.array([0.9, 0.2, 0.1], np.float32) for _ in rows]
    assert reciprocal_ranks(rows, mixed(rows, own, 0.5)) == [1.0] * 10


def test_the_first_stage_counts_beside_the_second_as_far_as_it_knows_more():
    rows = [judged(row(), (1, 0, 0)) for _ in range(10)]
    helps = platt(rows, [{0: (1.0, 3.0), 1: (1.0, -3.0), 2: (-1.0, -3.0)} for _ in rows])
    hinders = platt(rows, [{0: (3.0, -1.0), 1: (-3.0, 1.0), 2: (-3.0, 0.0)} for _ in rows])
    assert helps["beside"] > 1
    assert hinders["beside"] == 0.0


def test_the_loss_falls_when_the_answer_is_preferred():
    group = Group("q", ("a", "b"), (1, 0))
    assert loss_of(torch.tensor([3.0, -3.0]), [group]) < loss_of(torch.tensor([-3.0, 3.0]), [group])


PAGES = ("Gift cards are valid for five years.", "The tent has two doors.")
ASKED = Group("how long is a gift card valid", PAGES, (1, 0))


def test_what_training_saves_is_what_serving_reads(tmp_path):
    files = EncoderFiles()
    recipe = Recipe(rank=4, alpha=8, seed=1)
    model = train_cross_encoder([ASKED] * 40, files, recipe)
    save_file(model.tensors(), tmp_path / TENSORS)
    stage = Stage(encoder=files.setting, encoder_digest=files.digest, scale=2.0)
    (tmp_path / MANIFEST).write_text(Manifest(first=stage).model_dump_json(), "utf-8")
    scores = Reranker.load(tmp_path, files).score(ASKED.question, [("", p) for p in PAGES])
    trained = logits_of(model, files.tokenizer(), [ASKED]).detach().numpy()
    assert scores == pytest.approx(1 / (1 + np.exp(-trained)), abs=0.05)
    assert scores[0] > scores[1]


def test_late_interaction_is_served_as_it_was_trained_and_goes_on_after_an_interruption(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("finetune.reranker_train.CHECKPOINT_STEPS", 1)
    files = EncoderFiles()  # the small encoder: the method is the same
    recipe = replace(SECOND, rank=4, alpha=8, batch=8, first_block=1)
    phases = [[ASKED] * 12, [ASKED] * 8]
    whole = train_late_interaction(phases, files, recipe).tensors()
    seen: list[int] = []

    def interrupted(found: torch.Tensor, batch: list[Group]) -> torch.Tensor:
        seen.append(len(batch))
        if len(seen) == 3:
            raise KeyboardInterrupt
        return loss_of(found, batch)

    with monkeypatch.context() as patch:
        patch.setattr("finetune.reranker_train.loss_of", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train_late_interaction(phases, files, recipe, out=tmp_path)
    again = train_late_interaction(phases, files, recipe, out=tmp_path)
    for name, tensor in again.tensors().items():
        assert tensor.float() == pytest.approx(whole[name].float(), abs=1e-3)
    save_file(again.tensors(), tmp_path / "second.safetensors")
    served = LateInteraction.load("late", tmp_path / "second.safetensors", 2.0, 128, files)
    with torch.no_grad():
        expected = again([ASKED]).numpy()
    found = served.logits_for(ASKED.question, PAGES)
    assert found == pytest.approx(expected, abs=0.3)  # training computes in bfloat16
    assert found[0] > found[1]


def test_the_second_stage_goes_on_from_weights_trained_before(tmp_path):
    files = EncoderFiles()
    recipe = replace(SECOND, rank=4, alpha=8, batch=8, first_block=1)
    first = train_late_interaction([[ASKED] * 8], files, recipe)
    path = tmp_path / "second.safetensors"
    save_file(first.tensors(), path)
    more = train_late_interaction([[]], files, recipe, path)
    for name, tensor in more.tensors().items():
        assert torch.equal(tensor, first.tensors()[name]), name
