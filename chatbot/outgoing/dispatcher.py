"""Sends what the outbox holds, at least once, in the background of every worker.

A delivery is leased by moving its due time ahead before the attempt: a killed sender's delivery
is tried again, with the same ``webhook-id``. No HTTP call happens inside a transaction.
"""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from chatbot.conversations.office import Office
from chatbot.conversations.repository import Conversations
from chatbot.errors import DeskgateError
from chatbot.outgoing.outbox import MESSAGE_RELEASED
from chatbot.outgoing.sender import Attempt, Sender
from chatbot.storage.moments import iso
from chatbot.storage.tables import WebhookDelivery

log = logging.getLogger(__name__)

EVERY_S = 1.0
AT_ONCE = 8
FIRST_RETRY_S = 30.0  # doubled each time, with jitter, so that targets are not hit in waves
LONGEST_RETRY_S = 7200.0


@dataclass(frozen=True)
class Due:
    id: str
    target: str
    body: dict[str, Any]


class Dispatcher:
    def __init__(self, office: Office, sender: Sender | None = None) -> None:
        self.office = office
        self.sender = sender or Sender(office.settings)

    async def run(self) -> None:
        """For ever; does nothing where no target is set."""
        while self.sender.configured:
            try:
                if not await self.once():
                    await asyncio.sleep(EVERY_S)
            except DeskgateError as error:
                log.error("webhooks wait for the database: %s", error)
                await asyncio.sleep(EVERY_S)
        await asyncio.Event().wait()

    async def once(self) -> int:
        """Attempts what is due; the number of attempts."""
        due = await self._lease()
        await asyncio.gather(*(self._attempt(delivery) for delivery in due))
        return len(due)

    async def _lease(self) -> list[Due]:
        settings = self.office.settings
        async with self.office.read() as rows:
            if await rows.session.scalar(self._due(rows).limit(1)) is None:
                return []
        found = []
        async with self.office.write() as rows:
            query = self._due(rows).limit(AT_ONCE).with_for_update(skip_locked=True)
            for row in (await rows.session.scalars(query)).all():
                body = await self._body(rows, row)
                if body is None:
                    row.state, row.finished_at = "skipped", rows.now
                    continue
                row.attempts += 1
                row.due_at = rows.now + settings.webhook_timeout_s * 2 + FIRST_RETRY_S
                found.append(Due(row.id, row.target, body))
        return found

    @staticmethod
    def _due(rows: Conversations) -> Any:
        return (
            select(WebhookDelivery)
            .where(WebhookDelivery.state == "waiting", WebhookDelivery.due_at <= rows.now)
            .order_by(WebhookDelivery.due_at)
        )

    async def _body(self, rows: Conversations, row: WebhookDelivery) -> dict[str, Any] | None:
        """What is sent; None where the customer has the message, or it was erased."""
        data: dict[str, Any] = rows.vault.open_json(row.payload_sealed, row.id)
        if row.target == "notify":
            return data
        if row.kind == MESSAGE_RELEASED:
            message = await self._released(rows, row)
            if message is None:
                return None
            data |= message
        return {"type": row.kind, "timestamp": iso(row.created_at), "data": data}

    @staticmethod
    async def _released(rows: Conversations, row: WebhookDelivery) -> dict[str, Any] | None:
        """The message as the durable log has it: only released text is ever there."""
        conversation = await rows.find(row.conversation_id or "")
        if conversation is None or row.position is None:
            return None
        if conversation.acknowledged >= row.position:
            return None
        event = await rows.event_at(conversation.id, row.position)
        payload = {} if event is None else rows.payload(event)
        if not payload or payload.get("erased"):
            return None
        text = {"text": payload.get("text", "")}
        return {
            "message": payload.get("message", text),
            "customer": rows.vault.open_json(conversation.customer_sealed, conversation.id),
            "contact": rows.vault.open_json(conversation.contact_sealed, conversation.id),
        }

    async def _attempt(self, due: Due) -> None:
        attempt = await self.sender.send(due.target, due.id, due.body, self.office.clock())
        async with self.office.write() as rows:
            row = await rows.session.get(WebhookDelivery, due.id, with_for_update=True)
            if row is None or row.state != "waiting":
                return
            self._note(row, attempt, rows.now)

    def _note(self, row: WebhookDelivery, attempt: Attempt, now: float) -> None:
        row.last_status, row.last_error = attempt.status, attempt.error
        if attempt.ok:
            row.state, row.finished_at = "delivered", now
        elif attempt.gone or row.attempts >= self.office.settings.webhook_max_attempts:
            row.state, row.finished_at = "dead", now
            log.error("webhook %s (%s) is a dead letter: %s", row.id, row.kind, attempt.error)
        else:
            pause = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2 ** (row.attempts - 1))
            pause = max(pause, attempt.retry_after_s or 0.0) * random.uniform(0.75, 1.25)
            row.due_at = now + min(pause, LONGEST_RETRY_S * 2)
            log.warning("webhook %s failed, again in %.0f s: %s", row.id, pause, attempt.error)

    async def close(self) -> None:
        await self.sender.close()
