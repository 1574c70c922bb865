"""HTTP for signing in and out."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from chatbot.access.oidc import SIGN_IN_COOKIE, SIGN_IN_S, OpenIdProvider
from chatbot.access.sessions import COOKIE, CSRF_HEADER
from chatbot.errors import NotAuthenticated, NotFound
from chatbot.web.context import Context, Ctx

router = APIRouter(tags=["sign-in"])


@router.get("/v1/auth/methods")
async def methods(ctx: Ctx) -> dict[str, Any]:
    found = ctx.oidc
    return {"key": True, "oidc": found and {"name": found.name, "url": "/auth/login"}}


@router.get("/auth/login", include_in_schema=False)
async def login(
    request: Request,
    ctx: Ctx,
    next_path: Annotated[str, Query(alias="next", max_length=200)] = "/console",
) -> Response:
    ctx.limits.count("address", ctx.limits.address(request))
    begun = await _provider(ctx).begin(f"{_own(request, ctx)}/auth/callback", _local(next_path))
    response = RedirectResponse(begun.url, status_code=303)
    _set(response, request, ctx, SIGN_IN_COOKIE, begun.cookie, int(SIGN_IN_S))
    return response


@router.get("/auth/callback", include_in_schema=False)
async def callback(
    request: Request,
    ctx: Ctx,
    state: Annotated[str, Query(max_length=200)] = "",
    code: Annotated[str, Query(max_length=2000)] = "",
    error: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    ctx.limits.count("address", ctx.limits.address(request))
    if error or not code:
        raise NotAuthenticated(f"the provider did not sign you in: {error or 'no code'}")
    cookie = request.cookies.get(SIGN_IN_COOKIE)
    staff, next_path = await _provider(ctx).finish(cookie, state, code)
    token, expires_at = await ctx.sessions.start(staff)
    response = RedirectResponse(next_path, status_code=303)
    _set(response, request, ctx, COOKIE, token, int(expires_at - ctx.office.clock()))
    response.delete_cookie(SIGN_IN_COOKIE)
    return response


@router.post("/v1/auth/logout", status_code=204)
async def logout(request: Request, ctx: Ctx) -> Response:
    token = request.cookies.get(COOKIE)
    if token is not None:
        ctx.sessions.check_csrf(token, request.method, request.headers.get(CSRF_HEADER))
        await ctx.sessions.end(token)
    response = Response(status_code=204)
    response.delete_cookie(COOKIE)
    return response


def _provider(ctx: Context) -> OpenIdProvider:
    if ctx.oidc is None:
        raise NotFound("no OpenID provider is set; sign in with a key, or set CHATBOT_OIDC_ISSUER")
    return ctx.oidc


def _local(path: str) -> str:
    """A path on this server: a sign-in leads nowhere else."""
    inside = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if inside and path.isprintable() else "/console"


def _own(request: Request, ctx: Context) -> str:
    return (ctx.office.settings.public_url or str(request.base_url)).rstrip("/")


def _set(
    response: Response, request: Request, ctx: Context, name: str, value: str, seconds: int
) -> None:
    """Not readable by scripts; not sent along with another site's posts."""
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        httponly=True,
        samesite="lax",
        secure=_own(request, ctx).startswith("https://"),
    )
