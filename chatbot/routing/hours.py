"""Opening hours as a handover needs them: when a company that is closed now opens again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from chatbot.company import DAYS, Company

LOOK_AHEAD_DAYS = 60  # longer holidays than that are "closed until further notice"


@dataclass(frozen=True, slots=True)
class Closed:
    """``until`` is local to the company; None when no opening is in sight."""

    until: datetime | None

    def __str__(self) -> str:
        if self.until is None:
            return "closed until further notice"
        return f"closed until {self.until:%a %d %b %H:%M}"


def closed_at(company: Company, now: datetime) -> Closed | None:
    """None while the company is open. ``now`` is aware; holidays and the company's time zone
    (with its summer time) count."""
    if company.is_open(now):
        return None
    local = now.astimezone(company.timezone)
    for ahead in range(LOOK_AHEAD_DAYS):
        day = local.date() + timedelta(days=ahead)
        hours = company.opening_hours.get(DAYS[day.weekday()])
        if hours is None or day in company.holidays:
            continue
        opens = datetime.combine(day, hours[0], tzinfo=company.timezone)
        if opens > local:
            return Closed(opens)
    return Closed(None)
