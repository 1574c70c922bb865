"""For the operator: liveness, readiness of each part, Prometheus metrics."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from sqlalchemy import func, select

from chatbot.errors import Unavailable
from chatbot.storage.tables import Conversation, Message, ReviewItem, Turn
from chatbot.web.context import Ctx

router = APIRouter(tags=["operations"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(ctx: Ctx) -> JSONResponse:
    """503 while a critical part does not work; degraded parts are named."""
    parts: dict[str, dict[str, Any]] = ctx.desk.readiness()
    try:
        await ctx.office.database.ping()
        parts["database"] = {"ok": True}
    except Unavailable as error:
        parts["database"] = {"ok": False, "problem": error.detail}
    rules = ctx.office.rules
    _ = rules.file  # looks at the file, so that a fault shows before the next turn
    parts["review"] = {"ok": rules.problem is None, "problem": rules.problem}
    critical = ("database", "engine", "knowledge", "toxicity")
    ready = all(parts[name]["ok"] for name in critical)
    degraded = [name for name, part in parts.items() if _degraded(part)]
    body = {"ready": ready, "degraded": degraded, "parts": parts}
    return JSONResponse(body, status_code=200 if ready else 503)


@router.get("/metrics")
async def metrics(ctx: Ctx) -> Response:
    """Counts read from the database, so that they survive restarts and fit all workers."""
    registry = CollectorRegistry()
    groups = {
        "deskgate_conversations": ("Conversations by state", Conversation.state),
        "deskgate_messages": ("Messages by author", Message.author_kind),
        "deskgate_turns": ("Turns by state", Turn.state),
        "deskgate_review_items": ("Review items by state", ReviewItem.state),
    }
    async with ctx.office.read() as rows:
        for name, (text, column) in groups.items():
            gauge = Gauge(name, text, ["state"], registry=registry)
            for state, count in await rows.session.execute(
                select(column, func.count()).group_by(column)
            ):
                gauge.labels(state).set(count)
        oldest = await rows.session.scalar(
            select(func.min(ReviewItem.created_at)).where(ReviewItem.state == "open")
        )
        waiting = 0.0 if oldest is None else max(0.0, rows.now - oldest)
    Gauge("deskgate_review_oldest_seconds", "Age of the oldest open item", registry=registry).set(
        waiting
    )
    failures = Gauge(
        "deskgate_check_failures", "Checks that failed and held", ["check"], registry=registry
    )
    for check, count in ctx.desk.gate.failures.items():
        failures.labels(check).set(count)
    breakers = Gauge(
        "deskgate_check_breaker_open", "1 while a check is not called", ["check"], registry=registry
    )
    for check, breaker in ctx.desk.gate.breakers.items():
        breakers.labels(check).set(breaker.state.value != "closed")
    degraded = Gauge(
        "deskgate_part_degraded", "1 while a part does not work as it should", ["part"],
        registry=registry,
    )  # fmt: skip
    for name, part in ctx.desk.readiness().items():
        degraded.labels(name).set(_degraded(part))
    if ctx.desk.passage_guard is not None:
        Gauge("deskgate_passages_left_out", "Passages kept out of prompts", registry=registry).set(
            ctx.desk.passage_guard.left_out
        )
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def _degraded(part: dict[str, Any]) -> bool:
    return not part["ok"] or bool(part.get("problem"))
