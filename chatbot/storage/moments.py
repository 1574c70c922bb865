"""Times: seconds since the epoch inside, ISO 8601 in UTC at the edges."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(moment: float) -> str:
    """``2026-11-21T09:30:00.250Z``."""
    text = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
