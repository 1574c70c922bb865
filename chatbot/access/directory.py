"""Who works here: keys and people who signed in, with who is on duty."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from chatbot.conversations.office import Office
from chatbot.errors import NotFound
from chatbot.storage.moments import iso
from chatbot.storage.tables import ApiKey, Presence, StaffSession


class Directory:
    def __init__(self, office: Office) -> None:
        self.office = office

    async def listed(self) -> list[dict[str, Any]]:
        """Everybody who may sign in now, on duty first."""
        async with self.office.read() as rows:
            keys = await rows.session.execute(
                select(ApiKey.id, ApiKey.name, ApiKey.role).where(
                    ApiKey.role != "widget",
                    ApiKey.revoked_at.is_(None),
                    ApiKey.expires_at.is_(None) | (ApiKey.expires_at > rows.now),
                )
            )
            people = await rows.session.execute(
                select(StaffSession.staff_id, StaffSession.name, StaffSession.role)
                .where(StaffSession.ended_at.is_(None), StaffSession.expires_at > rows.now)
                .distinct()
            )
            seen = {row.key_id: row.seen_at for row in await rows.session.scalars(select(Presence))}
            present_since = rows.now - self.office.settings.presence_s
            found = {
                staff_id: {
                    "id": staff_id,
                    "name": name,
                    "role": role,
                    "on_duty": seen.get(staff_id, 0.0) >= present_since,
                    "seen_at": iso(seen[staff_id]) if staff_id in seen else None,
                }
                for staff_id, name, role in (*keys, *people)
            }
        return sorted(found.values(), key=lambda who: (not who["on_duty"], who["name"]))

    async def names(self) -> dict[str, str]:
        """Staff id -> name, also of those who left."""
        async with self.office.read() as rows:
            keys = await rows.session.execute(select(ApiKey.id, ApiKey.name))
            people = await rows.session.execute(
                select(
                    StaffSession.staff_id.label("id"), func.max(StaffSession.name).label("name")
                ).group_by(StaffSession.staff_id)
            )
            return {row.id: row.name for row in (*keys, *people)}

    async def find(self, staff_id: str) -> tuple[str, str]:
        """(id, name). Raises NotFound."""
        for who in await self.listed():
            if who["id"] == staff_id:
                return staff_id, str(who["name"])
        raise NotFound(f"nobody here has the id {staff_id!r}; see GET /v1/staff")
