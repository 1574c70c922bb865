"""The help centre over HTTP: what the service behind the routes does."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import select

from chatbot.desk import Desk
from chatbot.errors import BadInput, Conflict, NotFound
from chatbot.knowledge.service import KnowledgeService, _syncs
from chatbot.storage.tables import AuditRow
from chatbot.workers import Workers
from knowledge_base.errors import EncoderMismatch
from knowledge_base.retriever import Retriever
from knowledge_base.sync import sync_articles
from tests.knowledge_base.conftest import HELP_CENTRE
from tests.support.office import open_house

ACTOR = "staff:1"


@pytest.fixture
async def service(tmp_path, store, encoder):
    sync_articles(store, encoder, HELP_CENTRE[:3], source="articles")
    workers = Workers()
    parts = SimpleNamespace(retriever=Retriever(store, encoder), encoder=encoder, workers=workers)
    async with open_house(tmp_path / "office") as house:
        yield KnowledgeService(house.office, cast(Desk, parts))
    workers.close()


async def test_an_article_put_is_live_at_once_and_can_be_rolled_back(service, store):
    before = store.current_name()
    values: dict[str, Any] = {"id": "new", "title": "Kayaks", "text": "We rent kayaks from May."}
    report = await service.put(values, ACTOR)
    assert (report["added"], report["failed"]) == (["new"], [])
    assert service.desk.retriever.search("kayaks", floor=False)[0].article == "new"
    rows = await service.snapshots()
    assert [row["serving"] for row in rows] == [True, False]
    assert rows[1]["name"] == before
    assert (await service.rollback(before, ACTOR))["articles"] == 3
    with pytest.raises(NotFound):
        await service.one("new")


async def test_a_folder_is_synced_with_what_failed(service, tmp_path):
    folder = tmp_path / "articles"
    folder.mkdir()
    (folder / "good.md").write_text("# Good\n\nText.")
    (folder / "bad.md").write_text("---\naudience: secret\n---\nText.")
    report = await service.sync_folder(folder, prune=False, actor=ACTOR)
    assert report["added"] == ["good"]
    assert report["failed"] == ["bad.md: audience is 'secret'; use 'public' or 'internal'"]


async def test_a_sync_that_takes_long_goes_on_and_is_audited_when_done(
    service, monkeypatch: pytest.MonkeyPatch
):
    waiting = threading.Event()

    def slow(*arguments, **options):
        assert waiting.wait(10)
        return sync_articles(*arguments, **options)

    monkeypatch.setattr("chatbot.knowledge.service.sync_articles", slow)
    monkeypatch.setattr("chatbot.knowledge.service.SYNC_DEADLINE_S", 0.05)
    values: dict[str, Any] = {"id": "new", "title": "Kayaks", "text": "We rent kayaks from May."}
    with pytest.raises(Conflict, match=r"takes longer than 0\.05 s and goes on.*snapshots"):
        await service.put(values, ACTOR)
    assert await _audited(service) == []
    waiting.set()
    await asyncio.gather(*_syncs)
    assert service.desk.retriever.search("kayaks", floor=False)[0].article == "new"
    assert await _audited(service) == [("knowledge.changed", "new")]


async def _audited(service) -> list[tuple[str, str]]:
    async with service.office.database.read() as session:
        rows = (await session.scalars(select(AuditRow))).all()
        return [(r.action, r.subject) for r in rows if r.action.startswith("knowledge")]


async def test_an_unknown_or_damaged_snapshot_changes_nothing(service, store):
    serving = store.current_name()
    with pytest.raises(NotFound, match="there is no snapshot 'x'"):
        await service.rollback("x", ACTOR)
    await service.put({"id": "new", "title": "Kayaks", "text": "Text."}, ACTOR)
    (store.root / "snapshots" / serving / "chunks.jsonl").unlink()
    with pytest.raises(Conflict, match=r"chunks\.jsonl"):
        await service.rollback(serving, ACTOR)
    assert store.current_name() != serving


async def test_a_second_sync_is_a_conflict(service, store):
    with store.writing(), pytest.raises(Conflict, match="is running"):
        await service.put({"id": "new", "title": "Kayaks", "text": "Text."}, ACTOR)


async def test_an_article_that_cannot_be_is_refused(service):
    with pytest.raises(BadInput, match="valid_until"):
        await service.put({"id": "x", "title": "X", "text": "T", "valid_until": "soon"}, ACTOR)


async def test_what_the_store_refuses_is_told_and_changes_nothing(service, store, monkeypatch):
    serving = store.current_name()
    for article in await service.listed():
        if len(await service.listed()) > 1:
            await service.delete(article["id"], ACTOR)
    with pytest.raises(BadInput, match="at least one"):
        await service.delete((await service.listed())[0]["id"], ACTOR)
    monkeypatch.setattr(service.desk.retriever, "snapshot", refused)
    with pytest.raises(Conflict, match="another encoder"):
        await service.snapshots()
    assert serving in store.names()


def refused() -> None:
    raise EncoderMismatch("built with another encoder")
