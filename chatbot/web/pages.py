"""Pages and static files: demo shop, console, assist panel, widget, help articles."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse, Response
from fastapi.staticfiles import StaticFiles
from markdown_it import MarkdownIt

from chatbot.errors import NotFound
from chatbot.web.context import Ctx
from knowledge_base.chunking import headings

router = APIRouter(include_in_schema=False)

STATIC = Path(__file__).parent.parent / "static"
WIDGET_HEADERS = {"Access-Control-Allow-Origin": "*", "Cache-Control": "no-cache"}
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")

PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


def _page(name: str, values: dict[str, str] | None = None) -> HTMLResponse:
    text = (STATIC / name).read_text(encoding="utf-8")
    for key, value in (values or {}).items():
        text = text.replace("{{" + key + "}}", html.escape(value, quote=True))
    return HTMLResponse(text, headers=PAGE_HEADERS)


@router.get("/")
async def shop(ctx: Ctx) -> HTMLResponse:
    values = {"WIDGET_KEY": ctx.demo_widget_key, "COMPANY": ctx.office.company.name}
    return _page("shop.html", values)


@router.get("/console")
async def console(ctx: Ctx) -> HTMLResponse:
    return _page("console.html", {"COMPANY": ctx.office.company.name})


@router.get("/assist/panel")
async def assist_panel(ctx: Ctx) -> HTMLResponse:
    return _page("assist.html", {"COMPANY": ctx.office.company.name})


@router.get("/widget.js")
async def widget() -> Response:
    """A module that other sites load: it may be fetched from anywhere."""
    return FileResponse(STATIC / "widget.js", media_type="text/javascript", headers=WIDGET_HEADERS)


class SharedStatic(StaticFiles):
    """The widget's modules are loaded by other sites' pages; browsers ask for CORS then."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers.update(WIDGET_HEADERS)
        return response


@router.get("/articles/{reference:path}")
async def article(reference: str, ctx: Ctx) -> HTMLResponse:
    """The cited version of a public article; internal ones do not exist here."""
    identity, _, version = reference.rpartition("@")
    found = await ctx.desk.workers.run(ctx.desk.retriever.article, identity, version)
    if found is None or found.audience != "public":
        raise NotFound(f"there is no public article {reference!r}")
    body = _rendered(found.text)
    page = (STATIC / "article.html").read_text(encoding="utf-8")
    for key, value in {
        "TITLE": html.escape(found.title),
        "COMPANY": html.escape(ctx.office.company.name),
        "VERSION": html.escape(version),
        "BODY": body,
    }.items():
        page = page.replace("{{" + key + "}}", value)
    return HTMLResponse(page, headers=PAGE_HEADERS | {"Cache-Control": "max-age=3600"})


def _rendered(text: str) -> str:
    """The article as HTML; each heading has the id that citations link to."""
    tokens = _MARKDOWN.parse(text)
    opened = [t for t in tokens if t.type == "heading_open" and not t.level]
    for token, heading in zip(opened, headings(text), strict=True):
        token.attrSet("id", heading.anchor)
    return str(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))
