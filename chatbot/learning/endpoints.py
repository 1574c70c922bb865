"""HTTP for the lead: what the articles do not answer, what there is to learn from."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Query

from chatbot.learning.examples import examples
from chatbot.learning.gaps import find_gaps
from chatbot.web.context import Admin, Ctx

router = APIRouter(prefix="/v1", tags=["lead"])

NEAREST = 3


@router.get("/knowledge/gaps")
async def gaps(
    _staff: Admin,
    ctx: Ctx,
    days: Annotated[float, Query(gt=0, le=3660)] = 30.0,
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
) -> dict[str, Any]:
    """Frequent questions that no help article answers, with the articles that come nearest."""
    report = await find_gaps(ctx.office, ctx.desk.encoder.embed, days, limit)
    for gap in report["gaps"]:
        passages = await ctx.desk.retrieve([gap["title"]], NEAREST, ("public",), floor=False)
        gap["nearest"] = [
            {"article": p.article, "title": p.title, "score": round(p.score, 4)} for p in passages
        ]
    return report


@router.get("/learning/summary")
async def summary(_staff: Admin, ctx: Ctx) -> dict[str, Any]:
    """How many decisions became examples, and under which rules."""
    verdicts = Counter([example.verdict async for example in examples(ctx.office)])
    return {
        "examples": sum(verdicts.values()),
        "by_verdict": dict(verdicts),
        "consent": ctx.office.rules.file.learning.consent,
        "retention_days": ctx.office.settings.retention_days,
    }
