"""HTTP for the lead: figures, the rules in force, the audit trail."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from chatbot.access.directory import Directory
from chatbot.errors import NotFound
from chatbot.review.reports import Reports, as_csv
from chatbot.storage import audit
from chatbot.storage.moments import iso
from chatbot.storage.tables import AuditRow
from chatbot.web.context import Admin, Ctx

router = APIRouter(prefix="/v1", tags=["lead"])

NEWEST = 1000  # rows of one chain that are shown; all are verified
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
    """review.toml as it is in force, what is wrong with its newest edit, and what holds all in
    all: with routes.toml, policy.toml and the settings."""
    rules, file = ctx.office.rules, ctx.office.rules.file
    return {
        "rules": file.model_dump(mode="json"),
        "problem": rules.problem,
        "in_force": {
            "intents": sorted({*ctx.desk.always_reviewed, *file.always_review.intents}),
            "below_confidence": file.always_review.below_confidence,
            "share": max(rules.share, ctx.desk.sample_rate),
            "answer_within_s": rules.target_s(urgent=False),
            "urgent_within_s": rules.target_s(urgent=True),
            "late": [step.model_dump(mode="json") for step in rules.late],
            "lease_s": ctx.office.settings.review_lease_s,
            "retention_days": ctx.office.settings.retention_days,
            "consent": file.learning.consent,
        },
    }


@router.get("/audit")
async def trail(
    _staff: Admin,
    ctx: Ctx,
    chain: Annotated[str | None, Query(max_length=40)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> dict[str, Any]:
    async with ctx.office.read() as rows:
        found = await audit.newest(rows.session, chain, limit)
        return {"rows": [_shown(row) for row in found]}


@router.get("/audit/chains/{chain}")
async def one_chain(chain: str, _staff: Admin, ctx: Ctx) -> dict[str, Any]:
    """Who did what when in one conversation, oldest first, and whether the chain is whole."""
    names = await Directory(ctx.office).names()
    async with ctx.office.read() as rows:
        found = await audit.newest(rows.session, chain, NEWEST)
        if not found:
            raise NotFound(f"there is no audit chain {chain!r}; it is a conversation's id")
        count, breaks = await audit.verify(rows.session, rows.vault, only=chain)
    mentioned = {who for row in found for who in (row.actor.partition(":")[2], row.data.get("to"))}
    return {
        "chain": chain,
        "count": count,
        "broken": {"sequence": breaks[0].sequence, "reason": breaks[0].reason} if breaks else None,
        "names": {who: name for who, name in names.items() if who in mentioned},
        "rows": [_shown(row) for row in reversed(found)],
    }


def _shown(row: AuditRow) -> dict[str, Any]:
    return {
        "chain": row.chain,
        "sequence": row.sequence,
        "at": iso(row.at),
        "actor": row.actor,
        "action": row.action,
        "subject": row.subject,
        "data": row.data,
    }


@router.get("/audit/verify")
async def verify(_staff: Admin, ctx: Ctx) -> dict[str, Any]:
    async with ctx.office.read() as rows:
        count, breaks = await audit.verify(rows.session, rows.vault)
    return {
        "rows": count,
        "breaks": [{"chain": b.chain, "sequence": b.sequence, "reason": b.reason} for b in breaks],
    }
