"""One transaction, one vault and one moment: what every repository of conversations shares."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from chatbot.storage import (
    audit,
    states,  # noqa: F401 - from here on every assignment of a state is checked
)
from chatbot.storage.crypto import Vault
from chatbot.storage.tables import StaffChange


class Rows:
    """Rows in, rows out, no commit."""

    def __init__(self, session: AsyncSession, vault: Vault, now: float) -> None:
        self.session, self.vault, self.now = session, vault, now

    async def audit(
        self,
        conversation_id: str,
        actor: str,
        action: str,
        subject: str,
        data: dict[str, Any] | None = None,
    ) -> None:
        await audit.record(
            self.session,
            self.vault,
            chain=conversation_id,
            at=self.now,
            actor=actor,
            action=action,
            subject=subject,
            data=data,
        )

    def tell_staff(self, kind: str, subject: str, state: str) -> None:
        self.session.add(StaffChange(kind=kind, subject=subject, state=state, created_at=self.now))
