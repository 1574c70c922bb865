"""All SQL of the review queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, String, case, cast, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from chatbot.errors import NotFound
from chatbot.storage.tables import Conversation, ReviewItem

CLAIM_TRIES = 3


@dataclass(frozen=True)
class Filters:
    """What a list shows; None leaves a field open."""

    state: str = "open"
    team: str | None = None
    intent: str | None = None
    reason: str | None = None
    urgent: bool | None = None
    stale: bool | None = None
    mine: str | None = None
    """Staff id: held by, or assigned to."""
    draft_hash: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        found = [ReviewItem.state == self.state]
        for column, value in (
            (ReviewItem.team, self.team),
            (ReviewItem.intent, self.intent),
            (ReviewItem.urgent, self.urgent),
            (ReviewItem.stale, self.stale),
            (ReviewItem.draft_hash, self.draft_hash),
        ):
            if value is not None:
                found.append(column == value)
        if self.reason is not None:
            quoted = f'"{self.reason}"'  # an element of the JSON list, whole
            found.append(cast(ReviewItem.codes, String).contains(quoted, autoescape=True))
        if self.mine is not None:
            found.append(
                or_(ReviewItem.holder_id == self.mine, ReviewItem.assignee_id == self.mine)
            )
        return found


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

    async def listed(self, filters: Filters, limit: int, offset: int = 0) -> Sequence[ReviewItem]:
        """Urgent first, then priority, then the oldest promise; closed ones newest first.
        The long sealed columns are left where they are."""
        query = (
            select(ReviewItem)
            .options(defer(ReviewItem.detail_sealed), defer(ReviewItem.outcome_sealed))
            .where(*filters.conditions())
        )
        if filters.state == "open":
            query = query.order_by(
                ReviewItem.urgent.desc(), ReviewItem.priority.desc(), ReviewItem.promised_at
            )
        else:
            query = query.order_by(ReviewItem.resolved_at.desc())
        return (await self.session.scalars(query.limit(limit).offset(offset))).all()

    async def details(self, item_ids: Sequence[str]) -> dict[str, bytes]:
        """Sealed details of items that were held before summaries were kept apart."""
        query = select(ReviewItem.id, ReviewItem.detail_sealed).where(ReviewItem.id.in_(item_ids))
        return {row.id: row.detail_sealed for row in await self.session.execute(query)}

    async def count(self, filters: Filters) -> int:
        query = select(func.count(ReviewItem.id)).where(*filters.conditions())
        return await self.session.scalar(query) or 0

    async def counts(self, staff_id: str) -> dict[str, object]:
        """Of all open items, for the console's badges."""
        open_items = ReviewItem.state == "open"
        mine = or_(ReviewItem.holder_id == staff_id, ReviewItem.assignee_id == staff_id)
        row = (
            await self.session.execute(
                select(
                    func.count(ReviewItem.id).label("open"),
                    func.sum(case((ReviewItem.urgent, 1), else_=0)).label("urgent"),
                    func.sum(case((ReviewItem.stale, 1), else_=0)).label("stale"),
                    func.sum(case((mine, 1), else_=0)).label("mine"),
                ).where(open_items)
            )
        ).one()
        teams = await self.session.execute(
            select(ReviewItem.team, func.count(ReviewItem.id))
            .where(open_items)
            .group_by(ReviewItem.team)
        )
        found: dict[str, object] = {name: int(n or 0) for name, n in row._mapping.items()}
        return found | {"teams": {name: n for name, n in teams if name}}

    async def identical(self) -> Mapping[str, int]:
        """Draft hash -> number of open items that have it, where there are several."""
        rows = await self.session.execute(
            select(ReviewItem.draft_hash, func.count(ReviewItem.id))
            .where(ReviewItem.state == "open", ReviewItem.draft_hash != "")
            .group_by(ReviewItem.draft_hash)
            .having(func.count(ReviewItem.id) > 1)
        )
        return {row[0]: row[1] for row in rows}

    async def next_for(self, staff_id: str, teams: Sequence[str], now: float) -> str | None:
        """Id of the next free item, its conversation locked; skips what others lock, and waits
        for it only where nothing else is free: a lock may be a mere acknowledgement.

        One's own team and assignments; whatever is late is everybody's.
        """
        late = ReviewItem.late_steps > 0
        free = (
            ReviewItem.state == "open",
            or_(ReviewItem.holder_id.is_(None), ReviewItem.lease_until <= now),
            or_(ReviewItem.assignee_id.is_(None), ReviewItem.assignee_id == staff_id, late),
            or_(ReviewItem.team.in_(teams), ReviewItem.assignee_id == staff_id, late),
        )
        own = case((ReviewItem.assignee_id == staff_id, 0), else_=1)
        for attempt in range(CLAIM_TRIES):
            item_id: str | None = await self.session.scalar(
                select(ReviewItem.id)
                .join(Conversation, Conversation.id == ReviewItem.conversation_id)
                .where(*free)
                .order_by(
                    ReviewItem.urgent.desc(),
                    own,
                    ReviewItem.priority.desc(),
                    ReviewItem.promised_at,
                )
                .limit(1)
                .with_for_update(of=Conversation, skip_locked=attempt == 0)
            )
            if item_id is None:
                if attempt == 0:
                    continue
                return None
            still = select(ReviewItem.id).where(ReviewItem.id == item_id, *free)
            if await self.session.scalar(still) is not None:
                return item_id
        return None

    async def late(
        self, steps: Sequence[float], now: float, limit: int = 100
    ) -> Sequence[ReviewItem]:
        """Open items for which a step of ``[[late]]`` is due and was not carried out."""
        due = [
            (ReviewItem.late_steps == number) & (ReviewItem.created_at <= now - after_s)
            for number, after_s in enumerate(steps)
        ]
        if not due:
            return []
        query = (
            select(ReviewItem)
            .options(defer(ReviewItem.detail_sealed), defer(ReviewItem.outcome_sealed))
            .where(ReviewItem.state == "open", or_(*due))
            .order_by(ReviewItem.created_at)
        )
        return (await self.session.scalars(query.limit(limit))).all()
