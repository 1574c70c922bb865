"""The help centre over HTTP: articles of the serving snapshot, changed by building the next."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from chatbot.conversations.office import Office
from chatbot.desk import Desk
from chatbot.errors import BadInput, Conflict, NotFound
from chatbot.storage import audit
from chatbot.storage.tables import SYSTEM
from knowledge_base.article import Article, article_from
from knowledge_base.errors import (
    KnowledgeError,
    NoSnapshot,
    NothingToRead,
    SnapshotDamaged,
    UnknownSnapshot,
)
from knowledge_base.reporting import sync_json
from knowledge_base.snapshot import Snapshot
from knowledge_base.sync import SyncReport, sync_articles, sync_path

log = logging.getLogger(__name__)

API_SOURCE = "api"
SYNC_DEADLINE_S = 600.0  # 10,000 new articles; a few changed ones take less than a second
_syncs: set[asyncio.Task[dict[str, Any]]] = set()
"""Those that run: a task that nobody holds may be collected before it is done."""


def _ended(task: asyncio.Task[dict[str, Any]]) -> None:
    _syncs.discard(task)
    error = None if task.cancelled() else task.exception()
    if error is not None:
        log.warning("a sync ended with %s: %s", type(error).__name__, error)


SOURCE = "articles"
"""Source name of a company folder's articles, at the first start and at every later sync."""


class KnowledgeService:
    def __init__(self, office: Office, desk: Desk) -> None:
        self.office, self.desk = office, desk

    async def listed(self) -> list[dict[str, Any]]:
        articles = await self.desk.workers.run(self._articles)
        return [self._shown(article) for article in sorted(articles, key=lambda a: a.id)]

    async def one(self, article_id: str) -> dict[str, Any]:
        for article in await self.desk.workers.run(self._articles):
            if article.id == article_id:
                return self._shown(article) | {"text": article.text}
        raise NotFound(f"there is no article {article_id!r} in the serving snapshot")

    async def put(self, values: dict[str, Any], actor: str) -> dict[str, Any]:
        """Adds or replaces one article; live when this returns."""
        try:
            article = article_from(values, source=self._source_of(values.get("id")))
        except (ValueError, KnowledgeError) as error:
            raise BadInput(f"the article cannot be used: {error}") from None
        report = await self._sync([article], (), article.source, actor, article.id)
        return report | {"article": self._shown(article)}

    async def delete(self, article_id: str, actor: str) -> dict[str, Any]:
        source = (await self.one(article_id))["source"]
        return await self._sync((), (article_id,), source, actor, article_id)

    def _articles(self) -> Sequence[Article]:
        try:
            return list(self.desk.retriever.snapshot().articles.values())
        except NoSnapshot:
            return []

    async def sync_folder(self, path: Path, prune: bool, actor: str) -> dict[str, Any]:
        """Reads the company's own articles folder again: the one place a server may read."""

        def build() -> SyncReport:
            store = self.desk.retriever.store
            report = sync_path(store, self.desk.encoder, path, source=SOURCE, prune=prune)
            self.desk.retriever.ready()  # loaded here, so that no customer waits for it
            return report

        return await self._changed(build, actor, SOURCE)

    def _source_of(self, article_id: object) -> str:
        """An edited article stays with the source it came from; a new one is the API's."""
        for article in self._articles():
            if article.id == article_id:
                return article.source
        return API_SOURCE

    async def _sync(
        self,
        changed: Sequence[Article],
        removed: Sequence[str],
        source: str,
        actor: str,
        subject: str,
    ) -> dict[str, Any]:
        def build() -> SyncReport:
            store = self.desk.retriever.store
            report = sync_articles(store, self.desk.encoder, changed, source=source, remove=removed)
            if report.failed:
                raise BadInput("; ".join(str(failure) for failure in report.failed))
            self.desk.retriever.ready()  # loaded here, so that no customer waits for it
            return report

        return await self._changed(build, actor, subject)

    async def _changed(
        self, build: Callable[[], SyncReport], actor: str, subject: str
    ) -> dict[str, Any]:
        """Built in a thread of its own, so that customers have all workers; audited whenever it is
        done, though nobody waits any more."""

        async def whole() -> dict[str, Any]:
            report = await asyncio.to_thread(build)
            await self._audited("knowledge.changed", actor, subject, report.snapshot)
            return sync_json(report)

        task = asyncio.create_task(whole(), name="sync")
        _syncs.add(task)
        task.add_done_callback(_ended)
        try:
            return await asyncio.wait_for(asyncio.shield(task), SYNC_DEADLINE_S)
        except TimeoutError:
            raise Conflict(
                f"the import takes longer than {SYNC_DEADLINE_S:g} s and goes on; the articles "
                "serve when GET /v1/knowledge/snapshots names a newer one"
            ) from None
        except NothingToRead as error:
            raise BadInput(str(error)) from None
        except KnowledgeError as error:  # another sync, a damaged snapshot, another encoder
            raise Conflict(str(error)) from None

    async def snapshots(self) -> list[dict[str, Any]]:
        """Snapshots to roll back to, newest first."""

        def read() -> list[dict[str, Any]]:
            store = self.desk.retriever.store
            serving = self.desk.retriever.snapshot().name
            shown = ("created", "made_by", "articles", "chunks", "curated", "index", "index_recall")
            rows: list[dict[str, Any]] = []
            for name in reversed(store.names()):
                row: dict[str, Any] = {"name": name, "serving": name == serving, "problem": None}
                try:
                    manifest = store.manifest(name)
                    row |= {key: manifest.get(key) for key in shown}
                except SnapshotDamaged as error:
                    row["problem"] = str(error)
                rows.append(row)
            return rows

        try:
            return await self.desk.workers.run(read)
        except KnowledgeError as error:
            raise Conflict(str(error)) from None

    async def rollback(self, name: str, actor: str) -> dict[str, Any]:
        """Serves an earlier snapshot again; live when this returns."""

        def back() -> Snapshot:
            store = self.desk.retriever.store
            store.rollback(name)
            return store.current()

        try:
            snapshot = await self.desk.workers.run(back, deadline_s=SYNC_DEADLINE_S)
        except UnknownSnapshot as error:
            raise NotFound(str(error)) from None
        except KnowledgeError as error:
            raise Conflict(str(error)) from None
        await self._audited("knowledge.rolled_back", actor, name, snapshot.name)
        return {"snapshot": snapshot.name, "articles": len(snapshot.articles)}

    async def _audited(self, action: str, actor: str, subject: str, snapshot: str) -> None:
        async with self.office.database.write() as session:
            await audit.record(
                session,
                self.office.vault,
                chain=SYSTEM,
                at=self.office.clock(),
                actor=actor,
                action=action,
                subject=subject[:40],
                data={"snapshot": snapshot},
            )

    @staticmethod
    def _shown(article: Article) -> dict[str, Any]:
        shown = article.to_json()
        shown.pop("text", None)
        return shown | {"version": article.version}
