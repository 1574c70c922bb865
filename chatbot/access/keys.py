"""API keys: shown once, stored as keyed hashes, with a role, revocable, optionally expiring."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from chatbot.conversations.office import Office
from chatbot.errors import BadInput, NotAllowed, NotAuthenticated, NotFound
from chatbot.storage import audit
from chatbot.storage.database import exclusive
from chatbot.storage.ids import new_id
from chatbot.storage.tables import SYSTEM, ApiKey

ROLES: Final = ("widget", "agent", "reviewer", "admin")
_RANK: Final = {"widget": -1, "agent": 0, "reviewer": 1, "admin": 2}
ADMIN_NAME: Final = "first admin"
WIDGET_NAME: Final = "demo widget"


@dataclass(frozen=True)
class Staff:
    """Who holds a key. ``actor`` is what audit rows name."""

    id: str
    name: str
    role: str

    @property
    def actor(self) -> str:
        return f"{self.role}:{self.id}"

    def may_act_as(self, role: str) -> bool:
        """Roles include the ones below: admin > reviewer > agent. Widget keys only start chats."""
        if "widget" in (self.role, role):
            return self.role == role
        return _RANK[self.role] >= _RANK[role]


def must_act_as(staff: Staff, role: str) -> None:
    """Raises NotAllowed."""
    if not staff.may_act_as(role):
        raise NotAllowed(f"this needs the role {role!r}; you have {staff.role!r}")


class Keys:
    """Creates, lists, revokes and recognises keys."""

    def __init__(self, office: Office) -> None:
        self.office = office

    async def create(
        self, role: str, name: str, expires_in_days: float | None = None, key: str | None = None
    ) -> tuple[str, str]:
        """(id, key). The key is never stored and cannot be shown again."""
        if role not in ROLES:
            raise BadInput(f"{role!r} is not a role; use one of: {', '.join(ROLES)}")
        key = key or f"dg_{role}_{secrets.token_urlsafe(24)}"
        async with self.office.database.write() as session:
            return await self._create(session, role, name, expires_in_days, key), key

    async def _create(
        self, session: AsyncSession, role: str, name: str, expires_in_days: float | None, key: str
    ) -> str:
        now = self.office.clock()
        row = ApiKey(
            id=new_id("key"),
            role=role,
            name=name[:80],
            key_hash=self.office.vault.hash_token(key),
            created_at=now,
            expires_at=None if expires_in_days is None else now + expires_in_days * 86_400,
        )
        session.add(row)
        await session.flush()
        await self._record(session, now, "key.created", row.id, {"role": role})
        return row.id

    async def revoke(self, key_id: str) -> None:
        now = self.office.clock()
        async with self.office.database.write() as session:
            row = await session.get(ApiKey, key_id)
            if row is None:
                raise NotFound(f"there is no key {key_id!r}; see: python -m chatbot keys list")
            row.revoked_at = row.revoked_at or now
            await self._record(session, now, "key.revoked", key_id, {"role": row.role})

    async def listed(self) -> Sequence[ApiKey]:
        async with self.office.database.read() as session:
            return (await session.scalars(select(ApiKey).order_by(ApiKey.created_at))).all()

    async def recognise(self, key: str | None) -> Staff:
        """Raises NotAuthenticated for a missing, unknown, revoked or expired key."""
        if not key:
            raise NotAuthenticated("send a key as: Authorization: Bearer KEY")
        async with self.office.database.read() as session:
            row = await session.scalar(
                select(ApiKey).where(ApiKey.key_hash == self.office.vault.hash_token(key))
            )
        if row is None:
            raise NotAuthenticated("this key is not known; see: python -m chatbot keys list")
        if row.revoked_at is not None:
            raise NotAuthenticated("this key was revoked; ask an admin for another")
        if row.expires_at is not None and row.expires_at <= self.office.clock():
            raise NotAuthenticated("this key has expired; ask an admin for another")
        return Staff(row.id, row.name, row.role)

    async def require(self, key: str | None, role: str) -> Staff:
        staff = await self.recognise(key)
        must_act_as(staff, role)
        return staff

    async def ensure(self, role: str, name: str, key: str | None = None) -> str | None:
        """A key of this role and name on first use: the key if it was made now, else None.
        Workers that start together make it once."""
        same = and_(ApiKey.role == role, ApiKey.name == name, ApiKey.revoked_at.is_(None))
        if key is not None:
            same = and_(ApiKey.key_hash == self.office.vault.hash_token(key))
        async with self.office.database.write() as session:
            await exclusive(session, SYSTEM)
            if await session.scalar(select(ApiKey.id).where(same)) is not None:
                return None
            key = key or f"dg_{role}_{secrets.token_urlsafe(24)}"
            await self._create(session, role, name, None, key)
        return key

    async def _record(
        self, session: AsyncSession, now: float, action: str, subject: str, data: dict[str, str]
    ) -> None:
        await audit.record(
            session,
            self.office.vault,
            chain=SYSTEM,
            at=now,
            actor="operator",
            action=action,
            subject=subject,
            data=data,
        )
