"""HTTP for reviewers: the queue."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from chatbot.conversations.schemas import Body
from chatbot.web.context import Ctx, Reviewer

router = APIRouter(prefix="/v1/review/items", tags=["review"])


class VersionBody(Body):
    version: int


class EditBody(VersionBody):
    text: str
    override_reason: Annotated[str | None, Field(max_length=500)] = None


class RejectBody(VersionBody):
    reason: Annotated[str, Field(max_length=500)]
    reply: str
    override_reason: Annotated[str | None, Field(max_length=500)] = None


class Chosen(Body):
    id: str
    version: int


class BulkBody(Body):
    action: Literal["approve"]
    items: Annotated[list[Chosen], Field(min_length=1, max_length=200)]


@router.get("")
async def items(
    _staff: Reviewer,
    ctx: Ctx,
    state: Literal["open", "resolved", "withdrawn"] = "open",
    limit: Annotated[int, Query(ge=1, le=5000)] = 100,
    offset: Annotated[int, Query(ge=0)] = 0,
    q: Annotated[str, Query(max_length=200)] = "",
) -> dict[str, Any]:
    return await ctx.review.listed(state, limit, offset, q)


@router.post("/bulk")
async def bulk(body: BulkBody, staff: Reviewer, ctx: Ctx) -> dict[str, Any]:
    chosen = [(item.id, item.version) for item in body.items]
    return {"results": await ctx.review.approve_many(chosen, staff)}


@router.get("/{item_id}")
async def item(item_id: str, _staff: Reviewer, ctx: Ctx) -> dict[str, Any]:
    return await ctx.review.detail(item_id)


@router.post("/{item_id}/claim")
async def claim(item_id: str, staff: Reviewer, ctx: Ctx) -> dict[str, Any]:
    return await ctx.review.claim(item_id, staff)


@router.post("/{item_id}/renew")
async def renew(item_id: str, staff: Reviewer, ctx: Ctx) -> dict[str, Any]:
    return await ctx.review.renew(item_id, staff)


@router.post("/{item_id}/unclaim")
async def unclaim(item_id: str, staff: Reviewer, ctx: Ctx) -> dict[str, Any]:
    return await ctx.review.unclaim(item_id, staff)


@router.post("/{item_id}/approve")
async def approve(item_id: str, body: VersionBody, staff: Reviewer, ctx: Ctx) -> dict[str, Any]:
    return await ctx.review.approve(item_id, staff, body.version)


@router.post("/{item_id}/edit")
async def edit(item_id: str, body: EditBody, staff: Reviewer, ctx: Ctx) -> dict[str, Any]:
    return await ctx.review.edit(item_id, staff, body.version, body.text, body.override_reason)


@router.post("/{item_id}/reject")
async def reject(item_id: str, body: RejectBody, staff: Reviewer, ctx: Ctx) -> dict[str, Any]:
    return await ctx.review.reject(
        item_id, staff, body.version, body.reason, body.reply, body.override_reason
    )


@router.post("/{item_id}/redraft", status_code=202)
async def redraft(item_id: str, body: VersionBody, staff: Reviewer, ctx: Ctx) -> dict[str, str]:
    await ctx.review.redraft(item_id, staff, body.version)
    return {"state": "redrafting"}
