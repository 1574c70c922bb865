"""HTTP for the operator: dead letters and replay."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from chatbot.outgoing.service import Deliveries
from chatbot.web.context import Admin, Ctx

router = APIRouter(prefix="/v1/webhooks", tags=["operations"])


@router.get("/deliveries")
async def deliveries(
    _staff: Admin,
    ctx: Ctx,
    state: Literal["waiting", "delivered", "skipped", "dead"] | None = "dead",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    return await Deliveries(ctx.office).listed(state, limit)


@router.post("/deliveries/{delivery_id}/replay")
async def replay(delivery_id: str, staff: Admin, ctx: Ctx) -> dict[str, int]:
    return {"replayed": await Deliveries(ctx.office).replay(delivery_id, staff.actor)}


@router.post("/replay")
async def replay_all(staff: Admin, ctx: Ctx) -> dict[str, int]:
    return {"replayed": await Deliveries(ctx.office).replay(None, staff.actor)}
