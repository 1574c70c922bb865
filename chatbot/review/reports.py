"""The lead's figures: volumes, waits, reasons, agreement, edits, thumbs; by day and in all."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from chatbot.access.directory import Directory
from chatbot.conversations.office import Office
from chatbot.errors import BadInput
from chatbot.review.report_rows import ReportRows

MAX_DAYS = 366
DECISIONS = ("approved", "edited", "rejected")
DAY_COLUMNS = (
    "day",
    "conversations",
    "messages",
    "held",
    "resolved",
    *DECISIONS,
    "wait_p50_s",
    "wait_p95_s",
    "agreement",
    "edit_distance_mean",
    "handovers",
    "handover_wait_p50_s",
    "thumbs_up",
    "thumbs_down",
)


class Reports:
    def __init__(self, office: Office) -> None:
        self.office = office
        self.zone = office.company.timezone

    async def overview(self, first: date | None, last: date | None) -> dict[str, Any]:
        """Both days included, in the company's time zone. Raises BadInput."""
        today = datetime.fromtimestamp(self.office.clock(), self.zone).date()
        last = last or today
        first = first or last - timedelta(days=29)
        if first > last:
            raise BadInput(f"from {first} comes after to {last}")
        if (last - first).days >= MAX_DAYS:
            raise BadInput(f"{(last - first).days + 1} days are asked for; at most {MAX_DAYS}")
        start, end = self._midnight(first), self._midnight(last + timedelta(days=1))
        async with self.office.read() as rows:
            found = ReportRows(rows.session, start, end)
            items, conversations = await found.items(), await found.conversations()
            messages, handovers = await found.message_times(), await found.handovers()
            thumbs = await found.thumbs()
        names = await Directory(self.office).names()
        by_day = self._by_day
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        held, written = by_day(items, lambda i: i.created_at), by_day(messages, lambda at: at)
        begun = by_day(conversations, lambda c: c.created_at)
        waited, liked = by_day(handovers, lambda h: h[0]), by_day(thumbs, lambda t: t.created_at)
        return {
            "from": first.isoformat(),
            "to": last.isoformat(),
            "totals": {
                "conversations": len(conversations),
                "messages": len(messages),
                **_items(items),
                **_quality(items),
                **_handovers(handovers),
                **_resolution(conversations),
                **_thumbs(thumbs),
            },
            "reasons": _reasons(items),
            "reviewers": _reviewers(items, names),
            "days": [
                {
                    "day": day.isoformat(),
                    "conversations": len(begun.get(day, ())),
                    "messages": len(written.get(day, ())),
                    **_items(held.get(day, ())),
                    **_quality(held.get(day, ())),
                    **_handovers(waited.get(day, ())),
                    **_thumbs(liked.get(day, ())),
                }
                for day in days
            ],
        }

    def _midnight(self, day: date) -> float:
        return datetime.combine(day, time(), self.zone).timestamp()

    def _by_day(self, rows: Iterable[Any], at: Callable[[Any], float]) -> dict[date, list[Any]]:
        found: dict[date, list[Any]] = {}
        for row in rows:
            found.setdefault(datetime.fromtimestamp(at(row), self.zone).date(), []).append(row)
        return found


def as_csv(overview: dict[str, Any]) -> str:
    """One row a day; the names of the JSON."""
    text = io.StringIO()
    writer = csv.DictWriter(text, DAY_COLUMNS, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(overview["days"])
    return text.getvalue()


def quantile(values: Sequence[float], share: float) -> float | None:
    """Nearest rank; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)


def _waits(items: Iterable[Any]) -> list[float]:
    return [i.resolved_at - i.created_at for i in items if i.state == "resolved"]


def _items(items: Sequence[Any]) -> dict[str, Any]:
    waits = _waits(items)
    return {
        "held": len(items),
        "resolved": len(waits),
        "open": sum(i.state == "open" for i in items),
        "withdrawn": sum(i.state == "withdrawn" for i in items),
        **{name: sum(i.resolution == name for i in items) for name in DECISIONS},
        "wait_p50_s": quantile(waits, 0.5),
        "wait_p95_s": quantile(waits, 0.95),
    }


def _agreement(items: Iterable[Any]) -> float | None:
    """Share of decided drafts that left unchanged."""
    decided = [i.resolution for i in items if i.state == "resolved"]
    return round(decided.count("approved") / len(decided), 4) if decided else None


def _quality(items: Sequence[Any]) -> dict[str, Any]:
    decided = [i for i in items if i.state == "resolved"]
    in_time = sum(i.resolved_at <= i.promised_at for i in decided)
    edits = [i.edit_distance for i in decided if i.resolution == "edited"]
    known = [distance for distance in edits if distance is not None]
    return {
        "within_target": round(in_time / len(decided), 4) if decided else None,
        "agreement": _agreement(items),
        "edit_distance_mean": round(statistics.fmean(known), 4) if known else None,
    }


def _handovers(handovers: Sequence[tuple[float, float | None]]) -> dict[str, Any]:
    waits = [taken - began for began, taken in handovers if taken is not None]
    return {
        "handovers": len(handovers),
        "handover_wait_p50_s": quantile(waits, 0.5),
        "handover_wait_p95_s": quantile(waits, 0.95),
    }


def _resolution(conversations: Iterable[Any]) -> dict[str, int]:
    """By the most that people had to do with a conversation."""
    counts = {"resolved_by_bot": 0, "resolved_with_review": 0, "resolved_by_person": 0}
    for row in conversations:
        how = "by_person" if row.taken else "with_review" if row.reviewed else "by_bot"
        counts[f"resolved_{how}"] += 1
    return counts


def _thumbs(rows: Iterable[Any]) -> dict[str, int]:
    given = [row.thumbs for row in rows]
    return {"thumbs_up": given.count("up"), "thumbs_down": given.count("down")}


def _reasons(items: Sequence[Any]) -> list[dict[str, Any]]:
    codes = dict.fromkeys(code for item in items for code in item.codes)
    found = []
    for code in codes:
        about = [item for item in items if code in item.codes]
        approved = sum(item.resolution == "approved" for item in about)
        counts = {"code": code, "held": len(about), "approved": approved}
        found.append({**counts, "agreement": _agreement(about)})
    return sorted(found, key=lambda row: -row["held"])


def _reviewers(items: Sequence[Any], names: dict[str, str]) -> list[dict[str, Any]]:
    own: dict[str, list[Any]] = {}
    for item in items:
        if item.state == "resolved":
            own.setdefault(item.resolved_by or "", []).append(item)
    found = [
        {
            "id": staff_id,
            "name": names.get(staff_id, ""),
            "resolved": len(decided),
            "edited": sum(item.resolution == "edited" for item in decided),
            "wait_p50_s": quantile(_waits(decided), 0.5),
        }
        for staff_id, decided in own.items()
    ]
    return sorted(found, key=lambda row: -int(str(row["resolved"])))
