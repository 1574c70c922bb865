from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest

from knowledge_base.article import Article
from knowledge_base.errors import EncoderMismatch, NoSnapshot
from knowledge_base.langchain_retriever import KnowledgeRetriever
from knowledge_base.query import search_queries
from knowledge_base.retriever import Retriever
from knowledge_base.store import SnapshotStore
from knowledge_base.sync import sync_articles
from tests.knowledge_base.conftest import HELP_CENTRE, TODAY


def found(retriever: Retriever, query: str, **options) -> list[str]:
    options = {"k": 12, "on": TODAY, "floor": False} | options
    return [passage.article for passage in retriever.search(query, **options)]


def test_the_passage_that_answers_comes_first(retriever):
    first = retriever.search("how much is shipping to germany", on=TODAY, floor=False)[0]
    assert first.article == "delivery"
    assert "€4.95" in first.text
    assert first.url == f"/articles/delivery@{first.version}"


def test_scores_are_probabilities(retriever):
    passages = retriever.search("return an item", k=12, on=TODAY, floor=False)
    assert all(0 <= passage.score <= 1 for passage in passages)


def test_internal_expired_future_and_superseded_articles_never_reach_a_customer(retriever):
    hidden = {"goodwill", "returns-2025", "returns-old", "delivery-2027"}
    for query in ("return an item", "goodwill limits for agents", "delivery to germany 2027"):
        assert not hidden & set(found(retriever, query))


def test_the_day_of_a_retriever_is_the_companys(store, encoder):
    sync_articles(store, encoder, HELP_CENTRE, source="a")
    later = Retriever(store, encoder, today=lambda: date(2027, 1, 1))
    assert "delivery-2027" in found(later, "delivery to germany", on=None)
    later.today = lambda: TODAY
    assert "delivery-2027" not in found(later, "delivery to germany", on=None)


def test_internal_articles_serve_staff(retriever):
    assert "goodwill" in found(retriever, "goodwill limits", audiences=("public", "internal"))


def test_validity_is_judged_on_the_day_asked_about(retriever):
    assert "delivery-2027" in found(retriever, "delivery to germany", on=date(2027, 1, 1))
    assert "returns-2025" in found(retriever, "return an item", on=date(2025, 12, 31))


def test_filters_do_not_use_up_places(retriever):
    assert len(found(retriever, "return an item", k=5)) == 5


def test_the_same_words_are_shown_once(retriever):
    articles = found(retriever, "how long is a gift card valid")
    assert len({"gift-card", "gift-card-copy"} & set(articles)) == 1


def test_nonsense_stays_below_the_floor(retriever):
    assert retriever.search("who won the football match last night", on=TODAY) == []


def test_an_empty_question_finds_nothing(retriever):
    assert retriever.search("  ", on=TODAY) == []


def test_asking_for_no_passages_is_an_error(retriever):
    with pytest.raises(ValueError, match="k is 0"):
        retriever.search("tent", k=0)


def test_threads_get_the_same_answers(retriever):
    queries = ["wet tent", "stove", "gift card", "password", "germany"] * 8
    alone = [found(retriever, query) for query in queries]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda query: found(retriever, query), queries)) == alone


def test_vectors_of_another_encoder_are_refused(shared_store, encoder):
    class Other:
        name, dimension = "other", 384
        embed = encoder.embed

    with pytest.raises(EncoderMismatch, match="run sync again"):
        Retriever(shared_store, Other()).search("tent")


def test_searching_before_the_first_sync_says_what_to_run(tmp_path, encoder):
    with pytest.raises(NoSnapshot, match="knowledge_base sync"):
        Retriever(SnapshotStore(tmp_path), encoder).search("tent")


def test_langchain_gets_documents(retriever):
    documents = KnowledgeRetriever(retriever=retriever, k=2, floor=False).invoke("wet tent")
    assert documents[0].metadata["article"] == "tent"
    assert documents[0].page_content.startswith("Condensation")


HOTELS = [
    Article(f"{name}-{topic}", f"{name.title()} Hotel: {question}", answer.format(name.title()))
    for name in ("abbey", "bridge", "castle", "dome", "elm", "forest", "garden", "harbour")
    for topic, question, answer in (
        ("pets", "Can I bring my dog?", "Pets are not allowed at {} Hotel."),
        ("parking", "Is there parking?", "There is free parking at {} Hotel."),
    )
]


def test_where_many_articles_fit_alike_the_turn_before_says_which(store, encoder):
    sync_articles(store, encoder, HOTELS, source="hotels")
    retriever = Retriever(store, encoder)
    history = [("customer", "Please book the Forest Hotel for two nights.")]
    for question in ("Do you have somewhere for guests to leave a car overnight?", "And a dog?"):
        queries = search_queries(history, question)
        assert retriever.in_order(queries)[0].startswith("Please book")
        assert retriever.rank_articles(queries)[0].startswith("forest")


def test_a_question_about_another_matter_is_not_led_astray_by_the_turn_before(retriever):
    queries = search_queries([("customer", "The tent is wet inside.")], "is a gift card valid?")
    assert retriever.rank_articles(queries, on=TODAY)[0].startswith("gift-card")


def test_a_joined_question_is_found_among_others(retriever):
    history = [("customer", "What does delivery to Ireland cost?")]
    queries = ("another wording", *search_queries(history, "And to Germany?"))
    assert retriever.in_order(queries, on=TODAY)[0] == "another wording"
    assert retriever.rank_articles(queries, on=TODAY)


def test_all_queries_of_a_turn_are_asked_of_one_snapshot(store, encoder, monkeypatch):
    """A swap in between would hand out passages that are cut differently."""
    sync_articles(store, encoder, HELP_CENTRE, source="help")
    retriever = Retriever(store, encoder)
    taken = []
    current = store.current
    monkeypatch.setattr(store, "current", lambda: taken.append(1) or current())
    queries = search_queries([("customer", "how much is delivery to germany?")], "and returns?")
    assert len(queries) > 1
    assert retriever.search_all(queries, on=TODAY, floor=False)
    assert len(taken) == 1
