"""HTTP for agents: what goes on, take over, reply, hand back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from chatbot.access.directory import Directory
from chatbot.access.keys import Staff
from chatbot.access.sessions import COOKIE
from chatbot.conversations.customers import conversations_of
from chatbot.conversations.endpoints import STREAM_HEADERS
from chatbot.conversations.erasure import Erasure
from chatbot.conversations.schemas import (
    AssignBody,
    CustomersWordBody,
    ErasureBody,
    ReplyBody,
    TakeoverBody,
)
from chatbot.conversations.stream import staff_events
from chatbot.storage.moments import iso
from chatbot.web.context import Admin, Agent, Context, Ctx

router = APIRouter(prefix="/v1", tags=["staff"])


@router.get("/staff/me")
async def me(request: Request, staff: Agent, ctx: Ctx) -> dict[str, Any]:
    cookie = request.cookies.get(COOKIE) if "authorization" not in request.headers else None
    expires_at = None if cookie is None else (await ctx.sessions.recognise(cookie)).expires_at
    return {
        "id": staff.id,
        "name": staff.name,
        "role": staff.role,
        "company": ctx.office.company.name,
        "teams": [team for team in ctx.office.rules.teams_of(staff.name) if team],
        "csrf_token": None if cookie is None else ctx.sessions.csrf_token(cookie),
        "session_expires_at": None if expires_at is None else iso(expires_at),
    }


@router.get("/staff")
async def everybody(_staff: Agent, ctx: Ctx) -> dict[str, Any]:
    return {"staff": await Directory(ctx.office).listed()}


@router.get("/staff/events", response_class=StreamingResponse)
async def events(staff: Agent, ctx: Ctx) -> StreamingResponse:
    """Being connected is being on duty."""
    await ctx.staff.beat(staff)
    return StreamingResponse(
        _present(ctx, staff), media_type="text/event-stream", headers=STREAM_HEADERS
    )


async def _present(ctx: Context, staff: Staff) -> AsyncIterator[str]:
    async for event in staff_events(ctx.office):
        if event.startswith("event: ping"):
            await asyncio.shield(ctx.staff.beat(staff))  # leaving cancels no write half-way
        yield event


@router.get("/conversations")
async def conversations(
    _staff: Agent,
    ctx: Ctx,
    state: Literal["bot", "waiting", "person", "closed", "open"] | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> dict[str, Any]:
    return {"conversations": await ctx.staff.listed(state, limit)}


@router.get("/conversations/{conversation_id}")
async def conversation(conversation_id: str, _staff: Agent, ctx: Ctx) -> dict[str, Any]:
    return await ctx.staff.detail(conversation_id)


@router.delete("/conversations/{conversation_id}")
async def erase(conversation_id: str, staff: Admin, ctx: Ctx) -> dict[str, list[str]]:
    await Erasure(ctx.office).conversation(conversation_id, staff.actor)
    return {"erased": [conversation_id]}


@router.post("/erasures")
async def erase_customer(body: ErasureBody, staff: Admin, ctx: Ctx) -> dict[str, list[str]]:
    """One conversation, or everything of one customer (the id or e-mail that is known)."""
    erasure = Erasure(ctx.office)
    if body.conversation_id is not None:
        await erasure.conversation(body.conversation_id, staff.actor)
        return {"erased": [body.conversation_id]}
    return {"erased": await erasure.customer(body.customer or "", staff.actor)}


@router.post("/consents")
async def record_consent(body: CustomersWordBody, staff: Admin, ctx: Ctx) -> dict[str, list[str]]:
    """What a customer told the team about learning from conversations: of one, or of all."""
    found = [body.conversation_id or ""]
    if body.conversation_id is None:
        found = await conversations_of(ctx.office, body.customer or "")
    for conversation_id in found:
        await ctx.conversations.consent(conversation_id, body.training, staff.actor)
    return {"conversations": found}


@router.post("/conversations/{conversation_id}/assign")
async def assign(conversation_id: str, body: AssignBody, staff: Agent, ctx: Ctx) -> dict[str, Any]:
    to = None if body.to is None else await Directory(ctx.office).find(body.to)
    return await ctx.staff.assign(conversation_id, staff, to)


@router.post("/conversations/{conversation_id}/takeover")
async def take_over(
    conversation_id: str, body: TakeoverBody, staff: Agent, ctx: Ctx
) -> dict[str, str]:
    await ctx.staff.take_over(conversation_id, staff, body.name)
    return {"state": "person"}


@router.post("/conversations/{conversation_id}/handback")
async def hand_back(conversation_id: str, staff: Agent, ctx: Ctx) -> dict[str, str]:
    await ctx.staff.hand_back(conversation_id, staff)
    return {"state": "bot"}


@router.post("/conversations/{conversation_id}/reply", status_code=201)
async def reply(conversation_id: str, body: ReplyBody, staff: Agent, ctx: Ctx) -> dict[str, Any]:
    return await ctx.staff.reply(conversation_id, staff, body.text, body.override_reason)
