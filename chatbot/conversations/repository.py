"""All SQL of conversations: rows in, rows out, no commit.

Whoever changes a conversation locks its row first (``lock``): positions, audit rows and the
ownership check of the sending transaction all depend on that lock.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import exists, func, select

from chatbot.conversations.event_rows import EventRows
from chatbot.conversations.message_rows import MessageRows
from chatbot.conversations.turn_rows import TurnRows
from chatbot.errors import NotFound
from chatbot.storage.tables import Conversation, Feedback, Presence, ReviewItem


class Conversations(EventRows, MessageRows, TurnRows):
    """The conversation itself, and what lies around it; its log, messages and turns are
    inherited. Bound to one transaction, one vault and one moment."""

    async def lock(self, conversation_id: str) -> Conversation:
        """The row, locked until the transaction ends. Raises NotFound."""
        row = await self.session.get(
            Conversation, conversation_id, with_for_update=True, populate_existing=True
        )
        if row is None:
            raise NotFound(f"there is no conversation {conversation_id!r}")
        return row

    async def find(self, conversation_id: str) -> Conversation | None:
        return await self.session.get(Conversation, conversation_id)

    async def listed(self, state: str | None, limit: int) -> Sequence[Conversation]:
        """Longest-waiting first where somebody waits, else newest first."""
        query = select(Conversation).order_by(
            Conversation.urgent.desc(),
            Conversation.waiting_since.is_(None),
            Conversation.waiting_since,
            Conversation.updated_at.desc(),
        )
        if state == "open":
            query = query.where(Conversation.state != "closed")
        elif state:
            query = query.where(Conversation.state == state)
        return (await self.session.scalars(query.limit(limit))).all()

    async def idle_since(self, moment: float, limit: int = 100) -> Sequence[str]:
        rows = await self.session.scalars(
            select(Conversation.id)
            .where(Conversation.state.in_(("bot", "person")), Conversation.updated_at < moment)
            .where(
                ~exists().where(
                    ReviewItem.conversation_id == Conversation.id, ReviewItem.state == "open"
                )
            )
            .limit(limit)
        )
        return rows.all()

    async def open_item(self, conversation_id: str) -> ReviewItem | None:
        found: ReviewItem | None = await self.session.scalar(
            select(ReviewItem).where(
                ReviewItem.conversation_id == conversation_id, ReviewItem.state == "open"
            )
        )
        return found

    async def save_feedback(self, message_id: str, thumbs: str, comment: str | None) -> None:
        row = await self.session.get(Feedback, message_id)
        sealed = self.vault.seal(comment, message_id) if comment else None
        if row is None:
            self.session.add(
                Feedback(
                    message_id=message_id,
                    thumbs=thumbs,
                    comment_sealed=sealed,
                    created_at=self.now,
                )
            )
        else:
            row.thumbs, row.comment_sealed = thumbs, sealed or row.comment_sealed

    async def someone_on_duty(self, presence_s: float, staff_id: str | None = None) -> bool:
        """Anybody, or this one."""
        present = Presence.seen_at >= self.now - presence_s
        if staff_id is not None:
            present &= Presence.key_id == staff_id
        return bool(await self.session.scalar(select(func.count(Presence.key_id)).where(present)))
