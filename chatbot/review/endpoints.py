"""HTTP for reviewers: the queue."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from chatbot.access.directory import Directory
from chatbot.conversations.schemas import AssignBody, Body
from chatbot.review.bulk import decide_alike
from chatbot.review.repository import Filters
from chatbot.web.context import Ctx, Reviewer

router = APIRouter(prefix="/v1/review/items", tags=["review"])


Name = Annotated[str | None, Query(max_length=80)]


class VersionBody(Body):
    version: int


class ApproveBody(VersionBody):
    although_stale: bool = False


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
    action: Literal["approve", "reject"]
    items: Annotated[list[Chosen], Field(min_length=1, max_length=200)]
    reason: Annotated[str, Field(max_length=500)] = ""
    reply: str = ""


class NextBody(Body):
    team: Annotated[str | None, Field(max_length=40)] = None


@router.get("")
async def items(
    staff: Reviewer,
    ctx: Ctx,
    state: Literal["open", "resolved", "withdrawn"] = "open",
    limit: Annotated[int, Query(ge=1, le=5000)] = 100,
    offset: Annotated[int, Query(ge=0)] = 0,
    q: Annotated[str, Query(max_length=200)] = "",
    team: Name = None,
    intent: Name = None,
    reason: Name = None,
    urgent: bool | None = None,
    stale: bool | None = None,
    mine: bool = False,
    same_as: Name = None,
) -> dict[str, Any]:
    draft = None if same_as is None else await ctx.review.views.draft_hash(same_as)
    owner = staff.id if mine else None
    filters = Filters(state, team, intent, reason, urgent, stale, owner, draft)
    return await ctx.review.listed(state, limit, offset, q, filters=filters, staff_id=staff.id)


@router.post("/bulk")
async def bulk(body: BulkBody, staff: Reviewer, ctx: Ctx) -> dict[str, Any]:
    chosen = [(item.id, item.version) for item in body.items]
    rejection = (body.reason, body.reply) if body.action == "reject" else None
    return {"results": await decide_alike(ctx.review, chosen, staff, rejection)}


@router.post("/claim-next", responses={204: {"description": "Nothing waits for you."}})
async def claim_next(staff: Reviewer, ctx: Ctx, body: NextBody | None = None) -> Response:
    """The most pressing item that is free and within your skills, claimed."""
    found = await ctx.review.claim_next(staff, body.team if body else None)
    return Response(status_code=204) if found is None else JSONResponse(found)


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


@router.post("/{item_id}/assign")
async def assign(item_id: str, body: AssignBody, staff: Reviewer, ctx: Ctx) -> dict[str, Any]:
    to = None if body.to is None else await Directory(ctx.office).find(body.to)
    return await ctx.review.assign(item_id, staff, to)


@router.post("/{item_id}/approve")
async def approve(item_id: str, body: ApproveBody, staff: Reviewer, ctx: Ctx) -> dict[str, Any]:
    return await ctx.review.approve(
        item_id, staff, body.version, although_stale=body.although_stale
    )


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
