"""What time does: idle conversations close, overdue promises are admitted. Safe on any number
of workers, since every act looks again under the conversation's lock."""

from __future__ import annotations

import asyncio
import logging

from chatbot.conversations.office import Office
from chatbot.conversations.service import ConversationService
from chatbot.errors import DeskgateError
from chatbot.review.repository import ReviewItems

log = logging.getLogger(__name__)

EVERY_S = 5.0


class Upkeep:
    def __init__(self, office: Office, conversations: ConversationService) -> None:
        self.office, self.conversations = office, conversations

    async def run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.once()
            except DeskgateError as error:
                log.error("upkeep did not finish and will try again: %s", error)

    async def once(self) -> None:
        await self._close_idle()
        await self._admit_overdue()

    async def _close_idle(self) -> None:
        settings = self.office.settings
        async with self.office.read() as rows:
            limit = rows.now - settings.conversation_idle_close_minutes * 60
            idle = await rows.idle_since(limit)
            kept = [await rows.open_item(conversation_id) for conversation_id in idle]
        for conversation_id, item in zip(idle, kept, strict=True):
            if item is None:  # somebody still owes this customer an answer
                await self.conversations.close(conversation_id, actor="system")

    async def _admit_overdue(self) -> None:
        """A hold that outlives its limit: an honest notice and a way to leave contact details."""
        async with self.office.read() as rows:
            limit = rows.now - self.office.settings.review_limit_s
            overdue = await ReviewItems(rows.session).overdue(limit)
            waiting = [(item.id, item.conversation_id) for item in overdue]
        for item_id, conversation_id in waiting:
            async with self.office.write(conversation_id) as rows:
                conversation = await rows.lock(conversation_id)
                item = await ReviewItems(rows.session).lock(item_id)
                if item.state != "open" or item.overdue_told_at is not None:
                    continue
                item.overdue_told_at = rows.now
                item.urgent = True
                await self.office.admit_absence(rows, conversation)
                await rows.audit(conversation_id, "system", "item.overdue", item_id)
                rows.tell_staff("item", item_id, "open")
