"""For the operator: what was delivered, what was not, and trying again."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from chatbot.conversations.office import Office
from chatbot.errors import Conflict, NotFound
from chatbot.storage import audit
from chatbot.storage.moments import iso
from chatbot.storage.tables import SYSTEM, WebhookDelivery


class Deliveries:
    def __init__(self, office: Office) -> None:
        self.office = office

    async def listed(self, state: str | None = "dead", limit: int = 100) -> dict[str, Any]:
        """Newest first; ids, states and errors, never a payload."""
        query = select(WebhookDelivery).order_by(WebhookDelivery.created_at.desc()).limit(limit)
        if state is not None:
            query = query.where(WebhookDelivery.state == state)
        async with self.office.read() as rows:
            found = (await rows.session.scalars(query)).all()
            counts = await rows.session.execute(
                select(WebhookDelivery.state, func.count()).group_by(WebhookDelivery.state)
            )
            return {
                "deliveries": [_shown(row) for row in found],
                "counts": {row[0]: row[1] for row in counts},
            }

    async def replay(self, delivery_id: str | None, actor: str) -> int:
        """Sends a dead letter again, or all of them (None). Raises NotFound, Conflict."""
        async with self.office.write() as rows:
            query = select(WebhookDelivery).with_for_update()
            if delivery_id is None:
                query = query.where(WebhookDelivery.state == "dead")
            else:
                query = query.where(WebhookDelivery.id == delivery_id)
            found = (await rows.session.scalars(query)).all()
            if delivery_id is not None and not found:
                raise NotFound(f"there is no delivery {delivery_id!r}")
            for row in found:
                if row.state != "dead":
                    raise Conflict(f"this delivery is {row.state}; only dead ones are replayed")
                row.state, row.finished_at = "waiting", None
                row.attempts, row.due_at = 0, rows.now
                await audit.record(
                    rows.session,
                    rows.vault,
                    chain=SYSTEM,
                    at=rows.now,
                    actor=actor,
                    action="webhook.replayed",
                    subject=row.id,
                )
            return len(found)


def _shown(row: WebhookDelivery) -> dict[str, Any]:
    return {
        "id": row.id,
        "target": row.target,
        "kind": row.kind,
        "conversation_id": row.conversation_id,
        "state": row.state,
        "attempts": row.attempts,
        "due_at": iso(row.due_at),
        "last_status": row.last_status,
        "last_error": row.last_error,
        "created_at": iso(row.created_at),
        "finished_at": None if row.finished_at is None else iso(row.finished_at),
    }
