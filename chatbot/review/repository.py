"""All SQL of the review queue."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from chatbot.errors import NotFound
from chatbot.storage.tables import ReviewItem


class ReviewItems:
    """Bound to one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def find(self, item_id: str) -> ReviewItem:
        row = await self.session.get(ReviewItem, item_id)
        if row is None:
            raise NotFound(f"there is no review item {item_id!r}")
        return row

    async def lock(self, item_id: str) -> ReviewItem:
        """Locks the item after its conversation: always in this order, so nothing deadlocks."""
        row = await self.session.get(
            ReviewItem, item_id, with_for_update=True, populate_existing=True
        )
        if row is None:
            raise NotFound(f"there is no review item {item_id!r}")
        return row

    async def listed(self, state: str, limit: int, offset: int = 0) -> Sequence[ReviewItem]:
        """Urgent first, then the oldest promise; resolved ones newest first."""
        query = select(ReviewItem).where(ReviewItem.state == state)
        if state == "open":
            query = query.order_by(ReviewItem.urgent.desc(), ReviewItem.promised_at)
        else:
            query = query.order_by(ReviewItem.resolved_at.desc())
        return (await self.session.scalars(query.limit(limit).offset(offset))).all()

    async def count(self, state: str) -> int:
        query = select(func.count()).select_from(ReviewItem).where(ReviewItem.state == state)
        return await self.session.scalar(query) or 0

    async def overdue(self, now: float, limit: int = 50) -> Sequence[ReviewItem]:
        query = (
            select(ReviewItem)
            .where(
                ReviewItem.state == "open",
                ReviewItem.created_at < now,
                ReviewItem.overdue_told_at.is_(None),
            )
            .order_by(ReviewItem.created_at)
        )
        return (await self.session.scalars(query.limit(limit))).all()
