"""Erasing text: after the time that was promised, and on request.

Text goes: messages, events, drafts, contact details, placeholders, comments, what was to leave by
webhook. Ids, states, times and the audit rows with their keyed hashes stay, so that the trail
remains whole and still says nothing.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, select, update

from chatbot.conversations.customers import conversations_of
from chatbot.conversations.ledger import TurnLedger
from chatbot.conversations.office import Office
from chatbot.conversations.repository import Conversations
from chatbot.conversations.withdrawal import withdraw_pending
from chatbot.storage.tables import (
    Conversation,
    Event,
    Feedback,
    Message,
    ReviewItem,
    StaffChange,
    StaffSession,
    WebhookDelivery,
)

DAY_S = 86_400.0
BATCH = 200  # conversations in one pass of the retention job
STAFF_CHANGES_DAYS = 2.0
NO_DETAIL: dict[str, Any] = {
    "released_prefix": "",
    "draft": "",
    "question": "",
    "reasons": [],
    "sentences": [],
    "passages": [],
    "citations": [],
    "route": None,
    "first_position": 1,
    "last_position": 0,
}


class Erasure:
    def __init__(self, office: Office) -> None:
        self.office = office
        self.ledger = TurnLedger(office)

    async def expired(self) -> int:
        """Erases messages older than the configured days; the number of conversations."""
        days = self.office.settings.retention_days
        if days == 0:
            return 0
        async with self.office.read() as rows:
            before = rows.now - days * DAY_S
            found = await rows.session.scalars(
                select(Message.conversation_id)
                .where(Message.created_at < before, Message.erased_at.is_(None))
                .distinct()
                .limit(BATCH)
            )
            conversations = found.all()
        for conversation_id in conversations:
            async with self.office.write(conversation_id) as rows:
                conversation = await rows.lock(conversation_id)
                if conversation.updated_at < before:
                    await self._end(rows, conversation)
                await self._erase(rows, conversation, before, "system", "retention.erased")
        await self._forget_traces()
        return len(conversations)

    async def conversation(self, conversation_id: str, actor: str) -> None:
        """Everything of one conversation, now. Raises NotFound."""
        async with self.office.write(conversation_id) as rows:
            conversation = await rows.lock(conversation_id)
            await self._end(rows, conversation)
            conversation.token_expires_at = min(conversation.token_expires_at, rows.now)
            await self._erase(rows, conversation, None, actor, "conversation.erased")
        await self._forget_traces()

    async def customer(self, who: str, actor: str) -> list[str]:
        """Every conversation of one customer, by id or e-mail. Raises NotFound."""
        found = await conversations_of(self.office, who)
        for conversation_id in found:
            await self.conversation(conversation_id, actor)
        return found

    async def _end(self, rows: Conversations, conversation: Conversation) -> None:
        await withdraw_pending(self.office, self.ledger, rows, conversation, "erased")
        if conversation.state != "closed":
            conversation.state = "closed"
            conversation.owner_id = conversation.owner_name = None
            conversation.assignee_id = conversation.assignee_name = None
            conversation.waiting_since = conversation.absence_told_at = None
            rows.tell_staff("conversation", conversation.id, "closed")

    async def _erase(
        self,
        rows: Conversations,
        conversation: Conversation,
        before: float | None,
        actor: str,
        action: str,
    ) -> None:
        """What is older than ``before``; None: all of it."""
        session, own = rows.session, Message.conversation_id == conversation.id
        older = own if before is None else own & (Message.created_at < before)
        messages = (
            await session.scalars(select(Message).where(older, Message.erased_at.is_(None)))
        ).all()
        for message in messages:
            message.text_sealed = rows.vault.seal("", message.id)
            message.citations, message.explanation_sealed = [], None
            message.idempotency_key, message.erased_at = None, rows.now
        await self._erase_events(rows, conversation, before)
        await self._erase_items(rows, conversation, before)
        ids = [message.id for message in messages]
        comments = update(Feedback).where(Feedback.message_id.in_(ids)).values(comment_sealed=None)
        await session.execute(comments)
        left = await session.scalar(select(Message.id).where(own, Message.erased_at.is_(None)))
        if left is None:
            conversation.customer_sealed = conversation.contact_sealed = None
            conversation.placeholders_sealed = None
            conversation.erased_at = rows.now
            await session.execute(
                delete(WebhookDelivery).where(WebhookDelivery.conversation_id == conversation.id)
            )
        await rows.audit(
            conversation.id, actor, action, conversation.id, {"messages": len(messages)}
        )

    @staticmethod
    async def _erase_events(
        rows: Conversations, conversation: Conversation, before: float | None
    ) -> None:
        query = select(Event).where(Event.conversation_id == conversation.id)
        if before is not None:
            query = query.where(Event.created_at < before)
        for event in await rows.session.scalars(query):
            payload = rows.payload(event)
            if payload.get("erased"):
                continue
            empty: dict[str, Any] = {"message_id": event.message_id, "text": "", "erased": True}
            if event.kind == "sentence":
                empty |= {"index": payload["index"], "separator": "", "citations": []}
                empty |= {"kind": payload["kind"]}
            if "message" in payload:
                kept = ("id", "author", "created_at", "position")
                shown = {name: payload["message"][name] for name in kept}
                empty["message"] = {**shown, "text": "", "citations": [], "related": []}
            event.payload_sealed = rows.vault.seal_json(
                empty, f"{event.conversation_id}/{event.position}"
            )

    @staticmethod
    async def _erase_items(
        rows: Conversations, conversation: Conversation, before: float | None
    ) -> None:
        query = select(ReviewItem).where(
            ReviewItem.conversation_id == conversation.id, ReviewItem.state != "open"
        )
        if before is not None:
            query = query.where(ReviewItem.created_at < before)
        for item in await rows.session.scalars(query):
            item.detail_sealed = rows.vault.seal_json(NO_DETAIL, item.id)
            item.summary_sealed = rows.vault.seal_json(NO_DETAIL, item.id)
            item.outcome_sealed, item.draft_hash = None, ""

    async def _forget_traces(self) -> None:
        """Old wake-ups and ended sessions; on SQLite also the write-ahead log's copies."""
        async with self.office.database.write() as session:
            now = self.office.clock()
            await session.execute(
                delete(StaffChange).where(StaffChange.created_at < now - STAFF_CHANGES_DAYS * DAY_S)
            )
            await session.execute(delete(StaffSession).where(StaffSession.expires_at < now - DAY_S))
        await self.office.database.truncate_log()
