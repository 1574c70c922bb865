"""HTTP for the support lead: articles, search, sync."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from chatbot.assist.service import STAFF_AUDIENCES
from chatbot.conversations.schemas import Body
from chatbot.errors import BadInput
from chatbot.knowledge.service import KnowledgeService
from chatbot.web.context import Admin, Agent, Ctx

router = APIRouter(prefix="/v1/knowledge", tags=["knowledge"])


class ArticleBody(Body):
    id: Annotated[str, Field(min_length=1, max_length=120)]
    title: Annotated[str, Field(min_length=1, max_length=300)]
    text: Annotated[str, Field(min_length=1, max_length=200_000)]
    url: str | None = None
    locale: str | None = None
    audience: str = "public"
    valid_from: str | None = None
    valid_until: str | None = None
    supersedes: list[str] = Field(default_factory=list)
    tags: list[str] = Field(default_factory=list)


class SyncBody(Body):
    prune: bool = False


class RollbackBody(Body):
    name: Annotated[str, Field(min_length=1, max_length=100)]


def _service(ctx: Ctx) -> KnowledgeService:
    return KnowledgeService(ctx.office, ctx.desk)


@router.get("/articles")
async def articles(_staff: Admin, ctx: Ctx) -> dict[str, Any]:
    return {"articles": await _service(ctx).listed()}


@router.get("/articles/{article_id:path}")
async def article(article_id: str, _staff: Admin, ctx: Ctx) -> dict[str, Any]:
    return await _service(ctx).one(article_id)


@router.post("/articles", status_code=201)
async def add(body: ArticleBody, staff: Admin, ctx: Ctx) -> dict[str, Any]:
    return await _service(ctx).put(body.model_dump(exclude_none=True), staff.actor)


@router.put("/articles/{article_id:path}")
async def replace(article_id: str, body: ArticleBody, staff: Admin, ctx: Ctx) -> dict[str, Any]:
    if body.id != article_id:
        raise BadInput(f"the body's id {body.id!r} differs from the address {article_id!r}")
    return await _service(ctx).put(body.model_dump(exclude_none=True), staff.actor)


@router.delete("/articles/{article_id:path}")
async def delete(article_id: str, staff: Admin, ctx: Ctx) -> dict[str, Any]:
    return await _service(ctx).delete(article_id, staff.actor)


@router.post("/sync")
async def sync(body: SyncBody, staff: Admin, ctx: Ctx) -> dict[str, Any]:
    folder = ctx.office.settings.company / "articles"
    return await _service(ctx).sync_folder(folder, body.prune, staff.actor)


@router.get("/snapshots")
async def snapshots(_staff: Admin, ctx: Ctx) -> dict[str, Any]:
    return {"snapshots": await _service(ctx).snapshots()}


@router.post("/rollback")
async def rollback(body: RollbackBody, staff: Admin, ctx: Ctx) -> dict[str, Any]:
    return await _service(ctx).rollback(body.name, staff.actor)


@router.get("/search")
async def search(
    _staff: Agent,
    ctx: Ctx,
    q: Annotated[str, Query(min_length=1, max_length=1000)],
    k: Annotated[int, Query(ge=1, le=50)] = 5,
    floor: bool = True,
) -> dict[str, Any]:
    passages = await ctx.desk.retrieve([q], k, STAFF_AUDIENCES, floor=floor)
    return {
        "passages": [
            {
                "article": p.article,
                "version": p.version,
                "chunk": p.chunk,
                "title": p.title,
                "heading": p.heading,
                "text": p.text,
                "score": p.score,
                "audience": p.audience,
                "url": p.url,
            }
            for p in passages
        ]
    }
