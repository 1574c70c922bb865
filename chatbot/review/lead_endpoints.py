"""HTTP for the lead: figures, the rules in force, the audit trail."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from chatbot.review.reports import Reports, as_csv
from chatbot.storage import audit
from chatbot.storage.moments import iso
from chatbot.web.context import Admin, Ctx

router = APIRouter(prefix="/v1", tags=["lead"])

From = Annotated[date | None, Query(alias="from")]
To = Annotated[date | None, Query(alias="to")]


@router.get("/reports/overview")
async def overview(_staff: Admin, ctx: Ctx, first: From = None, last: To = None) -> dict[str, Any]:
    return await Reports(ctx.office).overview(first, last)


@router.get("/reports/overview.csv")
async def overview_csv(_staff: Admin, ctx: Ctx, first: From = None, last: To = None) -> Response:
    found = await Reports(ctx.office).overview(first, last)
    name = f"overview-{found['from']}-{found['to']}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(as_csv(found), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/review/rules")
async def rules(_staff: Admin, ctx: Ctx) -> dict[str, Any]:
    """review.toml as it is in force, and what is wrong with its newest edit."""
    file = ctx.office.rules.file
    return {"rules": file.model_dump(mode="json"), "problem": ctx.office.rules.problem}


@router.get("/audit")
async def trail(
    _staff: Admin,
    ctx: Ctx,
    chain: Annotated[str | None, Query(max_length=40)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> dict[str, Any]:
    async with ctx.office.read() as rows:
        found = await audit.newest(rows.session, chain, limit)
        return {
            "rows": [
                {
                    "chain": row.chain,
                    "sequence": row.sequence,
                    "at": iso(row.at),
                    "actor": row.actor,
                    "action": row.action,
                    "subject": row.subject,
                    "data": row.data,
                }
                for row in found
            ]
        }


@router.get("/audit/verify")
async def verify(_staff: Admin, ctx: Ctx) -> dict[str, Any]:
    async with ctx.office.read() as rows:
        count, breaks = await audit.verify(rows.session, rows.vault)
    return {
        "rows": count,
        "breaks": [{"chain": b.chain, "sequence": b.sequence, "reason": b.reason} for b in breaks],
    }
