"""All SQL of turns: at most one active in a conversation, claimed by one worker."""

from __future__ import annotations

from sqlalchemy import ColumnElement, func, select

from chatbot.conversations.rows import Rows
from chatbot.storage.ids import new_id
from chatbot.storage.tables import Conversation, Turn

CLAIM_TRIES = 3


class TurnRows(Rows):
    """A turn is leased; its fence grows with every claim (``ledger.py``)."""

    async def active_turn(self, conversation_id: str) -> Turn | None:
        found: Turn | None = await self.session.scalar(
            select(Turn).where(
                Turn.conversation_id == conversation_id, Turn.state.in_(("queued", "running"))
            )
        )
        return found

    async def is_active(self, conversation_id: str) -> bool:
        found = await self.session.scalar(
            select(Turn.id).where(
                Turn.conversation_id == conversation_id, Turn.state.in_(("queued", "running"))
            )
        )
        return found is not None

    async def add_turn(self, conversation: Conversation, first_position: int) -> Turn:
        turn = Turn(
            id=new_id("turn"),
            conversation_id=conversation.id,
            message_id=new_id("msg"),
            first_position=first_position,
            created_at=self.now,
        )
        self.session.add(turn)
        await self.session.flush()
        return turn

    def _claimable(self) -> ColumnElement[bool]:
        return (Turn.state == "queued") | (
            (Turn.state == "running") & (Turn.lease_until < self.now)
        )

    async def anything_claimable(self) -> bool:
        return bool(await self.session.scalar(select(Turn.id).where(self._claimable()).limit(1)))

    async def claimable_turn(self) -> Turn | None:
        """The oldest turn that is queued, or whose worker died; skips what others lock, and waits
        for it only where nothing else is claimable: a lock may be a mere acknowledgement.

        The conversation is locked before the turn, as everywhere, so that nothing deadlocks.
        """
        for attempt in range(CLAIM_TRIES):
            turn_id = await self.session.scalar(
                select(Turn.id)
                .join(Conversation, Conversation.id == Turn.conversation_id)
                .where(self._claimable())
                .order_by(Turn.created_at)
                .limit(1)
                .with_for_update(of=Conversation, skip_locked=attempt == 0)
            )
            if turn_id is None:
                if attempt == 0:
                    continue
                return None
            found: Turn | None = await self.session.scalar(
                select(Turn)
                .where(Turn.id == turn_id, self._claimable())
                .execution_options(populate_existing=True)
            )
            if found is not None:  # else another worker was done with it just now
                return found
        return None

    async def waiting_turns(self) -> int:
        count = await self.session.scalar(
            select(func.count()).select_from(Turn).where(Turn.state.in_(("queued", "running")))
        )
        return count or 0
