"""Audit rows chained by HMAC, one chain per conversation, written in the change's transaction."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from chatbot.storage.crypto import Vault
from chatbot.storage.database import exclusive
from chatbot.storage.tables import SYSTEM, AuditRow


@dataclass(frozen=True)
class Break:
    """The first row of a chain that is altered, missing or out of order."""

    chain: str
    sequence: int
    reason: str


def _canonical(row: AuditRow) -> str:
    fields = [row.chain, row.sequence, repr(row.at), row.actor, row.action, row.subject, row.data]
    return json.dumps(fields, sort_keys=True, separators=(",", ":"))


async def record(
    session: AsyncSession,
    vault: Vault,
    *,
    chain: str,
    at: float,
    actor: str,
    action: str,
    subject: str,
    data: dict[str, Any] | None = None,
) -> None:
    """Appends one row. The caller holds the lock of a conversation's chain (its row); the
    chain of what belongs to no conversation is locked here."""
    if chain == SYSTEM:
        await exclusive(session, SYSTEM)
    newest = await session.execute(
        select(AuditRow.sequence, AuditRow.mac)
        .where(AuditRow.chain == chain)
        .order_by(AuditRow.sequence.desc())
        .limit(1)
    )
    sequence, previous = next(iter(newest), (0, ""))
    row = AuditRow(
        chain=chain,
        sequence=sequence + 1,
        at=at,
        actor=actor,
        action=action,
        subject=subject,
        data=data or {},
    )
    row.mac = vault.audit_mac(previous, _canonical(row))
    session.add(row)
    await session.flush()


async def verify(session: AsyncSession, vault: Vault) -> tuple[int, list[Break]]:
    """(rows checked, first break of each broken chain)."""
    rows = await session.stream_scalars(
        select(AuditRow).order_by(AuditRow.chain, AuditRow.sequence)
    )
    count, breaks = 0, []
    chain, expected, previous, broken = "", 1, "", False
    async for row in rows:
        count += 1
        if row.chain != chain:
            chain, expected, previous, broken = row.chain, 1, "", False
        if broken:
            continue
        if row.sequence != expected:
            breaks.append(Break(chain, expected, "a row is missing"))
            broken = True
        elif row.mac != vault.audit_mac(previous, _canonical(row)):
            breaks.append(Break(chain, row.sequence, "a row was altered"))
            broken = True
        expected, previous = row.sequence + 1, row.mac
    return count, breaks
