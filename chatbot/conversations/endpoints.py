"""HTTP for the widget: start, write, listen, ask for a person, close."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import StreamingResponse

from chatbot.conversations.schemas import (
    ConsentBody,
    ContactBody,
    FeedbackBody,
    MessageBody,
    StartBody,
)
from chatbot.conversations.stream import customer_events
from chatbot.errors import BadInput
from chatbot.storage.moments import iso
from chatbot.web.context import Bearer, Ctx, OwnConversation, WidgetKey

router = APIRouter(prefix="/v1", tags=["customer"])

STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
MAX_IDEMPOTENCY_KEY = 128


@router.post("/conversations", status_code=201, dependencies=[WidgetKey])
async def start(body: StartBody, ctx: Ctx) -> dict[str, Any]:
    started = await ctx.conversations.start(
        body.customer, body.signature, body.locale, body.training_consent
    )
    company = ctx.office.company
    return {
        "id": started.conversation_id,
        "token": started.token,
        "expires_at": iso(started.expires_at),
        "state": "bot",
        "consent": {"rule": ctx.office.rules.file.learning.consent, "given": body.training_consent},
        "company": {
            "name": company.name,
            "bot_name": company.bot_name,
            "greeting": company.greeting,
            "ai_notice": company.ai_notice,
            "privacy_url": company.privacy_url,
        },
    }


@router.post("/conversations/{conversation_id}/messages", status_code=202)
async def write(
    conversation_id: OwnConversation,
    body: MessageBody,
    ctx: Ctx,
    idempotency_key: Annotated[str | None, Header()] = None,
) -> dict[str, Any]:
    if idempotency_key is not None and not 0 < len(idempotency_key) <= MAX_IDEMPOTENCY_KEY:
        raise BadInput(f"Idempotency-Key needs 1 to {MAX_IDEMPOTENCY_KEY} characters")
    ctx.limits.count("conversation", conversation_id)
    accepted = await ctx.conversations.accept(conversation_id, body.text, idempotency_key)
    return {"id": accepted.message_id, "position": accepted.position, "state": "accepted"}


@router.get("/conversations/{conversation_id}/messages")
async def history(conversation_id: OwnConversation, ctx: Ctx) -> dict[str, Any]:
    return await ctx.conversations.history(conversation_id)


@router.get(
    "/conversations/{conversation_id}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def events(
    conversation_id: OwnConversation,
    ctx: Ctx,
    last_event_id: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    after = last_event_id or "0"
    if not after.isdecimal() or len(after) > 15:
        raise BadInput(f"Last-Event-ID {after[:40]!r} is not a position in this conversation")
    return StreamingResponse(
        customer_events(ctx.office, conversation_id, int(after)),
        media_type="text/event-stream",
        headers=STREAM_HEADERS,
    )


@router.post("/conversations/{conversation_id}/request-person", status_code=202)
async def request_person(conversation_id: OwnConversation, ctx: Ctx) -> dict[str, str]:
    await ctx.conversations.request_person(conversation_id)
    return {"state": "waiting"}


@router.post("/conversations/{conversation_id}/close")
async def close(conversation_id: OwnConversation, ctx: Ctx) -> dict[str, str]:
    await ctx.conversations.close(conversation_id)
    return {"state": "closed"}


@router.post("/conversations/{conversation_id}/contact", status_code=202)
async def contact(conversation_id: OwnConversation, body: ContactBody, ctx: Ctx) -> dict[str, str]:
    await ctx.conversations.save_contact(conversation_id, body.model_dump())
    return {"state": "saved"}


@router.post("/conversations/{conversation_id}/consent", status_code=204)
async def consent(conversation_id: OwnConversation, body: ConsentBody, ctx: Ctx) -> Response:
    await ctx.conversations.consent(conversation_id, body.training)
    return Response(status_code=204)


@router.post("/messages/{message_id}/feedback", status_code=204)
async def feedback(
    message_id: str, body: FeedbackBody, request: Request, ctx: Ctx, token: Bearer
) -> Response:
    ctx.limits.count("address", ctx.limits.address(request))
    await ctx.conversations.feedback(message_id, token, body.thumbs, body.comment)
    return Response(status_code=204)
