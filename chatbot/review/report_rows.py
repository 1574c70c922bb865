"""All SQL of the lead's figures: narrow rows of a period, no sealed column among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from chatbot.storage.tables import (
    AuditRow,
    Conversation,
    Feedback,
    Message,
    ReviewItem,
)

WAITING, TAKEN = "conversation.waiting", "conversation.takeover"


class ReportRows:
    """Bound to one transaction and a period, in seconds since the epoch, end exclusive."""

    def __init__(self, session: AsyncSession, start: float, end: float) -> None:
        self.session, self.start, self.end = session, start, end

    async def items(self) -> Sequence[Row[Any]]:
        """Items held in the period."""
        return await self._all(
            select(
                ReviewItem.created_at,
                ReviewItem.resolved_at,
                ReviewItem.promised_at,
                ReviewItem.state,
                ReviewItem.resolution,
                ReviewItem.codes,
                ReviewItem.edit_distance,
                ReviewItem.resolved_by,
            ).where(ReviewItem.created_at >= self.start, ReviewItem.created_at < self.end)
        )

    async def conversations(self) -> Sequence[Row[Any]]:
        """(created_at, a person took it over, an item of it was resolved), if anything was said."""
        taken = exists().where(AuditRow.chain == Conversation.id, AuditRow.action == TAKEN)
        reviewed = exists().where(
            ReviewItem.conversation_id == Conversation.id, ReviewItem.state == "resolved"
        )
        return await self._all(
            select(Conversation.created_at, taken.label("taken"), reviewed.label("reviewed")).where(
                Conversation.created_at >= self.start,
                Conversation.created_at < self.end,
                Conversation.last_position > 0,
            )
        )

    async def message_times(self) -> Sequence[float]:
        """When customers wrote."""
        rows = await self.session.scalars(
            select(Message.created_at).where(
                Message.author_kind == "customer",
                Message.created_at >= self.start,
                Message.created_at < self.end,
            )
        )
        return rows.all()

    async def handovers(self) -> list[tuple[float, float | None]]:
        """(began to wait, was taken over) of customers who began to wait in the period."""
        rows = await self._all(
            select(AuditRow.chain, AuditRow.at, AuditRow.action)
            .where(AuditRow.action.in_((WAITING, TAKEN)), AuditRow.at >= self.start)
            .order_by(AuditRow.chain, AuditRow.sequence)
        )
        found: list[tuple[float, float | None]] = []
        began: tuple[str, float] | None = None
        for row in rows:
            if row.action == WAITING:
                if began is not None:
                    found.append((began[1], None))
                began = (row.chain, row.at)
            elif began is not None and began[0] == row.chain:
                found.append((began[1], row.at))
                began = None
        if began is not None:
            found.append((began[1], None))
        return [wait for wait in found if wait[0] < self.end]

    async def thumbs(self) -> Sequence[Row[Any]]:
        return await self._all(
            select(Feedback.created_at, Feedback.thumbs).where(
                Feedback.created_at >= self.start, Feedback.created_at < self.end
            )
        )

    async def _all(self, query: Any) -> Sequence[Row[Any]]:
        return (await self.session.execute(query)).all()
