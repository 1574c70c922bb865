"""What every endpoint needs, built once per process and found on ``app.state.context``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from chatbot.access.keys import Keys, Staff, must_act_as
from chatbot.access.oidc import OpenIdProvider
from chatbot.access.sessions import COOKIE, CSRF_HEADER, Sessions
from chatbot.conversations.office import Office
from chatbot.conversations.service import ConversationService
from chatbot.conversations.staff import StaffService
from chatbot.desk import Desk
from chatbot.errors import NotAllowed
from chatbot.review.service import ReviewService
from chatbot.web.limits import RateLimits


@dataclass(frozen=True)
class Context:
    office: Office
    desk: Desk
    keys: Keys
    limits: RateLimits
    conversations: ConversationService
    staff: StaffService
    review: ReviewService
    sessions: Sessions
    oidc: OpenIdProvider | None
    demo_widget_key: str


def context(request: Request) -> Context:
    found: Context = request.app.state.context
    return found


Ctx = Annotated[Context, Depends(context)]


def bearer(request: Request) -> str | None:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    return value.strip() or None if scheme.lower() == "bearer" else None


Bearer = Annotated[str | None, Depends(bearer)]


def staff_with(role: str) -> Callable[..., Awaitable[Staff]]:
    """A dependency: the caller's key or session must act as ``role``; counts against its rate."""

    async def check(request: Request, ctx: Ctx, key: Bearer) -> Staff:
        ctx.limits.count("address", ctx.limits.address(request))
        cookie = request.cookies.get(COOKIE)
        if key is None and cookie is not None:
            staff = (await ctx.sessions.recognise(cookie)).staff
            ctx.sessions.check_csrf(cookie, request.method, request.headers.get(CSRF_HEADER))
        else:
            staff = await ctx.keys.recognise(key)
        must_act_as(staff, role)
        ctx.limits.count("key", staff.id)
        return staff

    return check


Agent = Annotated[Staff, Depends(staff_with("agent"))]
Reviewer = Annotated[Staff, Depends(staff_with("reviewer"))]
Admin = Annotated[Staff, Depends(staff_with("admin"))]


async def widget_key(request: Request, ctx: Ctx, key: Bearer) -> None:
    """A public key: it only starts conversations, from an allowed origin, at a limited rate."""
    ctx.limits.count("start", ctx.limits.address(request))
    await ctx.keys.require(key, "widget")
    origin = (request.headers.get("origin") or "").rstrip("/")
    own = f"{request.url.scheme}://{request.headers.get('host', '')}"
    if origin and origin != own and origin not in ctx.office.settings.origins:
        raise NotAllowed(
            f"pages of {origin} may not embed this widget; add it to CHATBOT_ALLOWED_ORIGINS"
        )


async def own_conversation(conversation_id: str, request: Request, ctx: Ctx, token: Bearer) -> str:
    """The conversation that the token belongs to; counts against address and conversation."""
    ctx.limits.count("address", ctx.limits.address(request))
    await ctx.conversations.authenticate(conversation_id, token)
    return conversation_id


WidgetKey = Depends(widget_key)
OwnConversation = Annotated[str, Depends(own_conversation)]
