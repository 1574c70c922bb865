"""The help centre over HTTP: articles of the serving snapshot, changed by building the next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chatbot.conversations.office import Office
from chatbot.desk import Desk
from chatbot.errors import BadInput, Conflict, NotFound
from chatbot.storage import audit
from chatbot.storage.tables import SYSTEM
from knowledge_base.article import Article, article_from
from knowledge_base.errors import KnowledgeError, NoSnapshot, NothingToRead, SyncRunning
from knowledge_base.sync import SyncReport, sync_articles, sync_path

API_SOURCE = "api"
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
            return sync_path(
                self.desk.retriever.store, self.desk.encoder, path, source=SOURCE, prune=prune
            )

        try:
            report = await self.desk.workers.run(build, deadline_s=600.0)
        except SyncRunning as error:
            raise Conflict(str(error)) from None
        except NothingToRead as error:
            raise BadInput(str(error)) from None
        return await self._recorded(report, actor, SOURCE)

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
            return sync_articles(
                self.desk.retriever.store,
                self.desk.encoder,
                changed,
                source=source,
                remove=removed,
            )

        try:
            report = await self.desk.workers.run(build, deadline_s=300.0)
        except SyncRunning as error:
            raise Conflict(str(error)) from None
        if report.failed:
            raise BadInput("; ".join(str(failure) for failure in report.failed))
        return await self._recorded(report, actor, subject)

    async def _recorded(self, report: SyncReport, actor: str, subject: str) -> dict[str, Any]:
        async with self.office.database.write() as session:
            await audit.record(
                session,
                self.office.vault,
                chain=SYSTEM,
                at=self.office.clock(),
                actor=actor,
                action="knowledge.changed",
                subject=subject[:40],
                data={"snapshot": report.snapshot},
            )
        return {
            "snapshot": report.snapshot,
            "added": list(report.added),
            "changed": list(report.changed),
            "removed": list(report.removed),
            "unchanged": report.unchanged,
            "failed": [str(failure) for failure in report.failed],
        }

    @staticmethod
    def _shown(article: Article) -> dict[str, Any]:
        shown = article.to_json()
        shown.pop("text", None)
        return shown | {"version": article.version}
