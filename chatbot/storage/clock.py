"""One clock for all processes, which no change of the system clock moves.

Leases, tokens and promises are kept by the time since the machine's boot plus an offset that is
written down once for each boot. Setting the system clock, by hand or by NTP, therefore neither
ends a lease nor prolongs one, and a worker that starts afterwards agrees with those before it.
Machines that share a PostgreSQL database take their offset from its clock.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from chatbot.storage.database import Database, exclusive
from chatbot.storage.tables import ClockAnchor, Event

log = logging.getLogger(__name__)

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
NOTICEABLE_S = 60.0  # a difference to the system clock that an operator should know of


def since_boot() -> float:
    """Seconds that go on during sleep and that nobody can set."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boottime is None else time.clock_gettime(boottime)


def boot_id() -> str:
    """Of this machine and boot; elsewhere than on Linux each process counts as its own."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return uuid4().hex


async def shared_clock(
    database: Database,
    *,
    since_boot: Callable[[], float] = since_boot,
    boot: str | None = None,
    system_time: Callable[[], float] = time.time,
) -> Callable[[], float]:
    """Seconds since the epoch. The first process of a boot fixes the offset, the others use it."""
    boot = boot or boot_id()
    async with database.write() as session:
        await exclusive(session, "clock")
        anchor = await session.get(ClockAnchor, boot)
        if anchor is None:
            now = await _now(session, database, system_time)
            anchor = ClockAnchor(boot_id=boot, offset_s=now - since_boot(), created_at=now)
            session.add(anchor)
        offset = anchor.offset_s
    apart = system_time() - (since_boot() + offset)
    if abs(apart) > NOTICEABLE_S:
        log.warning(
            "the system clock was changed by %.0f s since the boot; leases and times shown here "
            "go on as before until the machine is started again",
            apart,
        )
    return lambda: since_boot() + offset


async def _now(
    session: AsyncSession, database: Database, system_time: Callable[[], float]
) -> float:
    """The database's time, never before what it has seen: a dead clock battery sets none back."""
    now = system_time()
    if not database.is_sqlite:
        epoch = func.extract("epoch", func.clock_timestamp())
        now = float(await session.scalar(select(epoch)) or now)
    newest = await session.scalar(select(Event.created_at).order_by(Event.seq.desc()).limit(1))
    return max(now, newest or 0.0)
