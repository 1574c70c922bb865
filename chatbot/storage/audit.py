"""Audit rows chained by HMAC, one chain per conversation, written in the change's transaction."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from chatbot.errors import SetupError
from chatbot.storage.crypto import Vault
from chatbot.storage.database import exclusive
from chatbot.storage.tables import SYSTEM, AuditRow, Conversation


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


async def newest(session: AsyncSession, chain: str | None, limit: int) -> Sequence[AuditRow]:
    """The newest rows first, of one chain or of all."""
    query = select(AuditRow).order_by(AuditRow.id.desc()).limit(limit)
    if chain is not None:
        query = query.where(AuditRow.chain == chain)
    return (await session.scalars(query)).all()


async def verify(
    session: AsyncSession,
    vault: Vault,
    heads: dict[str, Any] | None = None,
    only: str | None = None,
) -> tuple[int, list[Break]]:
    """(rows checked, first break of each broken chain); of one chain where ``only`` names it.

    A chain that was cut off at its end is whole in itself. It is found by the conversation,
    whose every event has its audit row, and by ``heads``, an export from before.
    """
    promised = _opened(heads, vault) if heads is not None else {}
    chained = select(AuditRow).order_by(AuditRow.chain, AuditRow.sequence)
    known = select(Conversation.id, Conversation.last_position)
    if only is not None:
        chained, known = chained.where(AuditRow.chain == only), known.where(Conversation.id == only)
    positions = {row.id: row.last_position for row in await session.execute(known)}
    rows = await session.stream_scalars(chained)
    count = 0
    chains: dict[str, _Chain] = {}
    async for row in rows:
        count += 1
        chain = chains.setdefault(row.chain, _Chain(row.chain, promised.get(row.chain)))
        chain.read(row, vault)
    for name in {**positions, **promised}:
        chains.setdefault(name, _Chain(name, promised.get(name)))
    for name, chain in chains.items():
        chain.end(positions.get(name, 0))
    return count, [chain.broken for chain in chains.values() if chain.broken is not None]


async def export_heads(session: AsyncSession, vault: Vault, at: float) -> dict[str, Any]:
    """The newest row of each chain, signed: kept elsewhere, it proves later what there was."""
    newest = (
        select(AuditRow.chain, func.max(AuditRow.sequence).label("sequence"))
        .group_by(AuditRow.chain)
        .subquery()
    )
    rows = await session.execute(
        select(AuditRow.chain, AuditRow.sequence, AuditRow.mac).join(
            newest,
            (newest.c.chain == AuditRow.chain) & (newest.c.sequence == AuditRow.sequence),
        )
    )
    chains = {row.chain: [row.sequence, row.mac] for row in rows}
    heads: dict[str, Any] = {"version": 1, "at": at, "chains": dict(sorted(chains.items()))}
    return heads | {"mac": vault.audit_mac("heads", _heads_text(heads))}


@dataclass
class _Chain:
    """Reads one chain in order and keeps its first break."""

    name: str
    promised: tuple[int, str] | None
    sequence: int = 0
    mac: str = ""
    position: int = 0
    broken: Break | None = None

    def read(self, row: AuditRow, vault: Vault) -> None:
        if self.broken is not None:
            return
        if row.sequence != self.sequence + 1:
            self.broken = Break(self.name, self.sequence + 1, "a row is missing")
        elif row.mac != vault.audit_mac(self.mac, _canonical(row)):
            self.broken = Break(self.name, row.sequence, "a row was altered")
        elif (
            self.promised is not None
            and row.sequence == self.promised[0]
            and row.mac != self.promised[1]
        ):
            self.broken = Break(self.name, row.sequence, "the row differs from the export")
        self.sequence, self.mac = row.sequence, row.mac
        self.position = max(self.position, int(row.data.get("position", 0)))

    def end(self, last_position: int) -> None:
        if self.broken is not None:
            return
        if self.promised is not None and self.sequence < self.promised[0]:
            reason = f"rows are missing at the end; the export has {self.promised[0]}"
            self.broken = Break(self.name, self.sequence + 1, reason)
        elif self.position < last_position or self.sequence == 0:
            reason = f"rows are missing at the end; event {last_position} has none"
            self.broken = Break(self.name, self.sequence + 1, reason)


def _heads_text(heads: dict[str, Any]) -> str:
    kept = {name: heads[name] for name in ("version", "at", "chains")}
    return json.dumps(kept, sort_keys=True, separators=(",", ":"))


def _opened(heads: dict[str, Any], vault: Vault) -> dict[str, tuple[int, str]]:
    """Raises SetupError when the export was altered or made under another key."""
    try:
        if heads["mac"] != vault.audit_mac("heads", _heads_text(heads)):
            raise SetupError("the exported heads were altered, or made under another secret key")
        return {chain: (int(n), str(mac)) for chain, (n, mac) in heads["chains"].items()}
    except (KeyError, TypeError, ValueError):
        raise SetupError("this file holds no exported heads; see: audit heads --out") from None
