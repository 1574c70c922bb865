"""Any LangChain VectorStore in place of FAISS."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import pytest
from langchain_core.vectorstores import InMemoryVectorStore

from knowledge_base.errors import VectorStoreFailed
from knowledge_base.retriever import Retriever
from knowledge_base.settings import KnowledgeSettings
from knowledge_base.store import KEPT, SnapshotStore, open_store
from knowledge_base.sync import sync_articles
from knowledge_base.vector_store import VectorStores
from tests.knowledge_base.conftest import HELP_CENTRE, TODAY


class Server:
    """A database that outlives the processes that use it: collections by name."""

    collections: ClassVar[dict[str, InMemoryVectorStore]] = {}
    filled = 0


def in_memory(embeddings, collection):
    if collection not in Server.collections:
        Server.collections[collection] = Counting(embeddings)
    return Server.collections[collection]


class Counting(InMemoryVectorStore):
    def add_documents(self, documents, ids=None, **options):
        Server.filled += 1
        return super().add_documents(documents, ids, **options)


class Forgetful(InMemoryVectorStore):
    def add_documents(self, documents, ids=None, **options):
        return []


@pytest.fixture
def settings(tmp_path, monkeypatch):
    Server.collections.clear()
    Server.filled = 0
    monkeypatch.setenv("CHATBOT_VECTOR_STORE", f"{__name__}:in_memory")
    return KnowledgeSettings(data_dir=tmp_path)


QUERIES = ("how much is shipping to germany", "wet tent", "return an item", "gift card")


def test_search_gives_the_same_passages_as_with_faiss(settings, retriever, encoder):
    store = open_store(settings)
    sync_articles(store, encoder, HELP_CENTRE, source="help")
    other = Retriever(store, encoder)
    for query in QUERIES:
        found, expected = (
            [(p.chunk, p.score) for p in one.search(query, 12, on=TODAY, floor=False)]
            for one in (other, retriever)
        )
        assert found == expected
    assert store.manifest(store.current_name())["index"].endswith(":in_memory")


def test_hidden_articles_stay_hidden(settings, encoder):
    store = open_store(settings)
    sync_articles(store, encoder, HELP_CENTRE, source="help")
    found = Retriever(store, encoder).search("return an item", 12, on=TODAY, floor=False)
    hidden = {"goodwill", "returns-2025", "returns-old", "delivery-2027"}
    assert not hidden & {passage.article for passage in found}


def test_each_snapshot_has_its_own_collection_until_it_is_collected(settings, encoder):
    store = open_store(settings)
    for number in range(KEPT + 2):
        changed = replace(HELP_CENTRE[0], text=f"{HELP_CENTRE[0].text} Number {number}.")
        sync_articles(store, encoder, [changed], source="help")
    names = set(store.names())
    full = {name for name, collection in Server.collections.items() if collection.store}
    assert full == names
    assert len(names) == KEPT


def test_a_filled_collection_is_used_as_it_is_and_an_empty_one_filled_again(settings, encoder):
    sync_articles(open_store(settings), encoder, HELP_CENTRE, source="help")
    open_store(settings).current()
    assert Server.filled == 1
    Server.collections.clear()
    open_store(settings).current()
    assert Server.filled == 2


def test_going_back_to_faiss_needs_no_sync(settings, encoder):
    sync_articles(open_store(settings), encoder, HELP_CENTRE, source="help")
    snapshot = SnapshotStore(settings.knowledge_dir).current()
    assert snapshot.dense.kind == "flat"


@pytest.mark.parametrize("setting", ["nowhere:x", "json:nothing", "json"])
def test_a_setting_that_names_nothing_is_an_error(setting):
    with pytest.raises(VectorStoreFailed, match="write it as module:factory"):
        VectorStores.from_setting(setting)


def test_a_store_that_loses_what_it_gets_is_not_used(store, encoder):
    stores = VectorStores(lambda embeddings, name: Forgetful(embeddings), "forgetful")
    losing = SnapshotStore(store.root, stores)
    with pytest.raises(VectorStoreFailed, match="does not return what was put into it"):
        sync_articles(losing, encoder, HELP_CENTRE, source="help")
    assert store.names() == []


def test_an_outage_while_a_snapshot_is_loaded_leaves_the_former_serving(settings, encoder):
    store = open_store(settings)
    sync_articles(store, encoder, HELP_CENTRE[:3], source="help")
    serving = SnapshotStore(settings.knowledge_dir, VectorStores(in_memory, "m"))
    first = serving.current().name

    def down(embeddings, name):
        raise ConnectionError("refused")

    sync_articles(store, encoder, HELP_CENTRE[:4], source="help")
    serving.vector_stores = VectorStores(down, "m")
    assert serving.current().name == first
    assert "refused" in (serving.problem or "")
