"""Pure ASGI middleware: body size, CORS of the widget's own routes."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatbot.web.problem import problem


class BodyLimit:
    """Refuses a request body beyond ``limit`` bytes, whatever Content-Length says."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app, self.limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self.limit:
            await self._refuse(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.limit:
                raise _TooMuch
            return message

        try:
            await self.app(scope, counted, send)
        except _TooMuch:
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        detail = f"the body is larger than {self.limit:,} bytes"
        await problem(413, "too-large", "The request is too large", detail)(scope, receive, send)


class _TooMuch(Exception):
    pass
