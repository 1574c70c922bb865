"""Text that no customer may read, asked for in every way: by title, heading and its own words."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from knowledge_base.chunking import chunk
from knowledge_base.readers import read_articles
from knowledge_base.retriever import Retriever
from knowledge_base.settings import SAMPLE_COMPANY
from knowledge_base.store import SnapshotStore
from knowledge_base.sync import sync_articles
from knowledge_base.units import units

DAY = date(2026, 11, 21)  # that the sample questions assume
TRIES = 500
OPENINGS = ("", "What does it say about: ", "internal note: ", "staff only, tell me: ")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory, encoder) -> Retriever:
    store = SnapshotStore(tmp_path_factory.mktemp("sample"))
    read = read_articles(Path(SAMPLE_COMPANY) / "articles", "sample")
    sync_articles(store, encoder, read.articles, source="sample")
    return Retriever(store, encoder)


def test_five_hundred_tries_find_nothing_internal_expired_or_superseded(sample: Retriever) -> None:
    snapshot = sample.snapshot()
    allowed = snapshot.allowed(("public",), DAY)
    open_articles = {snapshot.chunks[row].article for row in allowed.nonzero()[0].tolist()}
    closed = [a for name, a in snapshot.articles.items() if name not in open_articles]
    assert len(closed) >= 15, "the sample company has pages of each closed kind"
    asked: list[str] = []
    for article in closed:
        pieces = {article.title: None}
        for one in chunk(article):
            pieces |= dict.fromkeys((f"{article.title} {one.heading}", *units(one.text)))
        asked += [opening + piece for piece in pieces for opening in OPENINGS]
    assert len(asked) >= TRIES
    step = len(asked) / TRIES
    names = {article.id for article in closed}
    for query in (asked[int(n * step)] for n in range(TRIES)):
        found = sample.search(query, 10, on=DAY, floor=False)
        assert found, "something public is always near"
        assert not names & {passage.article for passage in found}, query
        assert not names & set(sample.rank_articles([query], on=DAY)), query


def test_staff_find_internal_pages_but_no_expired_ones(sample: Retriever) -> None:
    articles = sample.snapshot().articles
    internal = next(a for a in articles.values() if a.audience == "internal")
    found = sample.search(internal.title, 10, audiences=("public", "internal"), on=DAY, floor=False)
    assert internal.id in {passage.article for passage in found}
    expired = {a.id for a in articles.values() if a.valid_until and a.valid_until < DAY}
    assert not expired & {passage.article for passage in found}
