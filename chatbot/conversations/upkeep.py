"""What time does: idle conversations close, late items take their steps, old text is erased.
Safe on any number of workers, since every act looks again under the conversation's lock."""

from __future__ import annotations

import asyncio
import logging
import time

from chatbot.conversations.erasure import Erasure
from chatbot.conversations.office import Office
from chatbot.conversations.service import ConversationService
from chatbot.errors import DeskgateError
from chatbot.learning.promotions import guard_promotion
from chatbot.learning.trials import guard
from chatbot.review.late import LateItems

log = logging.getLogger(__name__)

EVERY_S = 5.0
ERASE_EVERY_S = 900.0
GUARD_EVERY_S = 60.0  # an experiment or a promotion that does harm is ended


class Upkeep:
    def __init__(self, office: Office, conversations: ConversationService) -> None:
        self.office, self.conversations = office, conversations
        self.late, self.erasure = LateItems(office), Erasure(office)
        self._erased_at = self._guarded_at = float("-inf")

    async def run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.once()
                if time.monotonic() - self._erased_at >= ERASE_EVERY_S:
                    self._erased_at = time.monotonic()
                    await self.erasure.expired()
                if time.monotonic() - self._guarded_at >= GUARD_EVERY_S:
                    self._guarded_at = time.monotonic()
                    if why := await guard(self.office):
                        log.error("the experiment was ended: %s", why)
                    if why := await guard_promotion(self.office):
                        log.error("the promotion was taken back: %s", why)
            except DeskgateError as error:
                log.error("upkeep did not finish and will try again: %s", error)
            except Exception:  # a damaged file, a full disk: nobody else would close, erase, guard
                log.exception("upkeep broke and will try again")

    async def once(self) -> None:
        await self._close_idle()
        await self.late.once()

    async def _close_idle(self) -> None:
        settings = self.office.settings
        async with self.office.read() as rows:
            limit = rows.now - settings.conversation_idle_close_minutes * 60
            idle = await rows.idle_since(limit)
        for conversation_id in idle:
            await self.conversations.close(conversation_id, actor="system", idle_since=limit)
