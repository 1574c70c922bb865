"""Errors as application/problem+json (RFC 9457): what was wrong, with which value, what to do."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from chatbot.errors import DeskgateError, NotAuthenticated, TooManyRequests, Unavailable

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"


def problem(
    status: int, slug: str, title: str, detail: str, extra: dict[str, Any] | None = None
) -> JSONResponse:
    body = {
        "type": f"/problems/{slug}",
        "title": title,
        "status": status,
        "detail": detail,
        **(extra or {}),
    }
    return JSONResponse(body, status_code=status, media_type=MEDIA_TYPE)


def problem_of(error: DeskgateError) -> JSONResponse:
    response = problem(error.status, error.slug, error.title, error.detail, error.extra)
    if isinstance(error, TooManyRequests):
        response.headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, NotAuthenticated):
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _fault(fault: dict[str, Any]) -> dict[str, str]:
    if fault["type"] == "json_invalid":
        place = fault["loc"][-1]
        return {"field": "body", "reason": f"it is not JSON; the fault is at character {place}"}
    field = ".".join(str(part) for part in fault["loc"][1:]) or "body"
    return {"field": field, "reason": fault["msg"]}


def install(app: FastAPI) -> None:
    """Every error of the application becomes a problem; nothing of its inside is shown."""

    @app.exception_handler(DeskgateError)
    async def ours(_request: Request, error: DeskgateError) -> JSONResponse:
        if error.status >= 500:
            log.error("%s", error.detail)
        return problem_of(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        found = [_fault(fault) for fault in error.errors()]
        first = found[0]
        detail = f"{first['field']}: {first['reason']}"
        title = "The request cannot be used as it is"
        return problem(422, "invalid-request", title, detail, {"errors": found})

    @app.exception_handler(HTTPException)
    async def http(_request: Request, error: HTTPException) -> JSONResponse:
        return problem(error.status_code, "http", str(error.detail), str(error.detail))

    @app.exception_handler(TimeoutError)
    async def late(request: Request, _error: TimeoutError) -> JSONResponse:
        log.error("%s %s: a model did not answer in time", request.method, request.url.path)
        return problem_of(Unavailable("a model did not answer in time; try again in a moment"))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        log.error("%s %s broke", request.method, request.url.path, exc_info=error)
        detail = "the request was not carried out; the log of the server says why"
        return problem(500, "internal", "Something went wrong", detail)
