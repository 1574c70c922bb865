from __future__ import annotations

import copy
import time
from pathlib import Path

import pytest

from knowledge_base.article import Article
from knowledge_base.late_interaction import LateInteraction
from knowledge_base.reranker import Reranker
from knowledge_base.retriever import Retriever
from knowledge_base.sync import sync_articles
from knowledge_base.unit_file import UnitFile
from knowledge_base.warming import Warming, units_of
from tests.knowledge_base.conftest import HELP_CENTRE, TODAY


@pytest.fixture(scope="module")
def reranker(encoder) -> Reranker:
    return Reranker.load(encoder=encoder.files)


@pytest.fixture
def retriever(store, encoder, reranker) -> Retriever:
    return Retriever(store, encoder, reranker=reranker)


def wait(warming: Warming, name: str) -> None:
    """Until that snapshot or a newer one is read: names begin with the time they were made."""
    end = time.monotonic() + 30
    while warming.done < name and time.monotonic() < end:
        time.sleep(0.02)
    assert warming.done >= name


@pytest.fixture
def warming(retriever):
    running = Warming.started(retriever, look_s=0.01)
    yield running
    running.stop()


def test_a_question_finds_every_unit_read_and_after_a_swap_too(store, encoder, warming, retriever):
    sync_articles(store, encoder, HELP_CENTRE[:4], source="help")
    wait(warming, retriever.store.names()[-1])
    sync_articles(store, encoder, HELP_CENTRE, source="help")
    wait(warming, retriever.store.names()[-1])
    network = retriever.reranker._second._network
    passes = network.passes
    retriever.search("what does the label cost", on=TODAY)
    assert network.passes == passes + 1  # the question


def test_a_help_centre_too_large_to_remember_is_left_alone(
    store, encoder, retriever, warming, monkeypatch
):
    monkeypatch.setattr("knowledge_base.warming.REMEMBERED", 3)
    passes = retriever.reranker._second._network.passes
    long = [Article("long", "Colours", "Red. Green. Blue. White.")]
    sync_articles(store, encoder, long, source="help")
    wait(warming, retriever.store.names()[-1])
    assert retriever.reranker._second._network.passes == passes


def started_anew(reranker: Reranker, folder: Path) -> Reranker:
    """As the next process would have it: the same weights, nothing in memory, the file on disk."""
    old, fresh = reranker._second, copy.copy(reranker)
    factors = (old._words, old._whole, old._bias)
    kept = UnitFile(folder, "weights")
    fresh._second = LateInteraction(old._tokenizer, old._network, factors, kept)
    return fresh


def read_by(retriever: Retriever) -> int:
    """Passes of the network until the serving snapshot is read."""
    network = retriever.reranker._second._network
    before = network.passes
    warming = Warming.started(retriever, look_s=0.01)
    wait(warming, retriever.store.names()[-1])
    warming.stop()
    return network.passes - before


def test_a_restart_reads_only_what_is_new_and_judges_the_same(store, encoder, reranker, tmp_path):
    def retriever() -> Retriever:
        return Retriever(store, encoder, reranker=started_anew(reranker, tmp_path))

    asked = {"query": "what does the label cost", "on": TODAY}
    sync_articles(store, encoder, HELP_CENTRE[:4], source="help")
    first = retriever()
    assert read_by(first) > 0
    assert first.search(**asked) == Retriever(store, encoder, reranker=reranker).search(**asked)
    second = retriever()
    assert read_by(second) == 0
    assert second.search(**asked) == first.search(**asked)
    sync_articles(store, encoder, HELP_CENTRE[:5], source="help")
    assert 0 < read_by(retriever()) < len(units_of(store.current())) / 2


def test_what_is_no_longer_in_the_help_centre_is_no_longer_kept(store, encoder, reranker, tmp_path):
    kept = UnitFile(tmp_path, "weights")
    for articles in (HELP_CENTRE[:4], HELP_CENTRE[:2]):
        sync_articles(store, encoder, articles, source="help", prune=True)
        read_by(Retriever(store, encoder, reranker=started_anew(reranker, tmp_path)))
        assert len(kept.read()) == len(units_of(store.current()))


def test_nothing_serving_is_waited_for(warming):
    time.sleep(0.1)
    assert warming.done == ""


def test_each_text_is_read_once(shared_store):
    texts = units_of(shared_store.current())
    assert len(texts) == len(set(texts))
    assert "Gift vouchers. A gift card is valid for five years." in texts
