"""The lead's figures add up."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from pathlib import Path

import pytest

from chatbot.errors import BadInput
from chatbot.review.reports import Reports, as_csv
from tests.support.office import House, open_house


async def decide(house: House, how: str, after_s: float) -> str:
    staff = await house.on_duty("Kim")
    conversation = await house.start()
    await house.say(conversation, "review this")
    item = (await house.open_items())[-1]
    version = (await house.review.claim(item["id"], staff))["version"]
    house.clock.pass_s(after_s)
    if how == "approve":
        await house.review.approve(item["id"], staff, version)
    else:
        await house.review.edit(item["id"], staff, version, "You have 60 days. No.", None)
    return conversation


async def test_an_overview_counts_waits_decisions_and_thumbs(tmp_path: Path) -> None:
    async with open_house(tmp_path, review_target_s=60, review_lease_s=500) as house:
        reports = Reports(house.office)
        await decide(house, "approve", 10)
        await decide(house, "approve", 30)
        edited = await decide(house, "edit", 100)
        messages = (await house.conversations.history(edited))["messages"]
        started = await house.conversations.start(None, None, None)
        await house.say(started.conversation_id, "person please")
        house.clock.pass_s(40)
        staff = await house.on_duty("Robin")
        await house.staff.take_over(started.conversation_id, staff, None)
        async with house.office.write() as rows:
            await rows.save_feedback(messages[-1]["id"], "up", None)

        found = await reports.overview(None, None)
        totals = found["totals"]
        assert (totals["held"], totals["resolved"], totals["approved"], totals["edited"]) == (
            3,
            3,
            2,
            1,
        )
        assert (totals["wait_p50_s"], totals["wait_p95_s"]) == (30, 100)
        assert totals["agreement"] == pytest.approx(2 / 3, abs=1e-3)
        assert totals["within_target"] == pytest.approx(2 / 3, abs=1e-3)
        assert 0 < totals["edit_distance_mean"] < 1
        assert (totals["handovers"], totals["handover_wait_p50_s"]) == (1, 40)
        assert (totals["resolved_with_review"], totals["resolved_by_person"]) == (3, 1)
        assert totals["thumbs_up"] == 1
        assert found["reasons"] == [
            {"code": "always_review", "held": 3, "approved": 2, "agreement": 0.6667}
        ]
        assert found["days"][-1]["held"] == 3
        assert sum(row["resolved"] for row in found["reviewers"]) == 3
        table = list(csv.DictReader(io.StringIO(as_csv(found))))
        assert len(table) == 30
        assert table[-1]["wait_p95_s"] == "100.0"


async def test_a_period_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        reports, day = Reports(house.office), date(2026, 9, 1)
        with pytest.raises(BadInput, match="comes after"):
            await reports.overview(day, day - timedelta(days=1))
        with pytest.raises(BadInput, match="at most 366"):
            await reports.overview(day, day + timedelta(days=400))
        empty = await reports.overview(day, day)
        assert empty["totals"]["wait_p50_s"] is None
