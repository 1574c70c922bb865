"""What every service of conversations and reviews shares: one place that opens transactions
and speaks to the customer with pre-approved texts."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import InitVar, dataclass, field
from typing import Any

from chatbot.company import Company
from chatbot.conversations.hub import STAFF, TURNS, Hub
from chatbot.conversations.repository import Conversations
from chatbot.outgoing.outbox import Outbox
from chatbot.review.rules import ReviewRules
from chatbot.safety.released import Released, release_static
from chatbot.settings import Settings
from chatbot.storage.crypto import Vault
from chatbot.storage.database import Database
from chatbot.storage.moments import iso
from chatbot.storage.tables import Conversation, Message, Turn

Clock = Callable[[], float]


@dataclass
class Office:
    """Database, vault, company and clock, handed to every service."""

    database: Database
    vault: Vault
    company: Company
    settings: Settings
    hub: Hub = field(default_factory=Hub)
    clock: Clock = time.time
    review_rules: InitVar[ReviewRules | None] = None
    """None: the defaults, as where a company has no review.toml."""
    rules: ReviewRules = field(init=False)
    outbox: Outbox = field(init=False)

    def __post_init__(self, review_rules: ReviewRules | None) -> None:
        self.rules = review_rules or ReviewRules(self.settings, self.company.texts)
        self.outbox = Outbox(self.settings)

    @asynccontextmanager
    async def write(
        self, conversation_id: str | None = None, wakes: tuple[str, ...] = (STAFF, TURNS)
    ) -> AsyncIterator[Conversations]:
        """One short transaction; after the commit those are woken who wait for the conversation
        or for what ``wakes`` names."""
        topics = wakes if conversation_id is None else (conversation_id, *wakes)
        async with self.database.write() as session:
            rows = Conversations(session, self.vault, self.clock())
            yield rows
            await self.database.announce(session, *topics)
        self.hub.notify(*topics)
        self.hub.wrote(event.seq for event in rows.appended)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Conversations]:
        async with self.database.read() as session:
            yield Conversations(session, self.vault, self.clock())

    # Saying something to the customer; the caller holds the conversation's lock.

    async def say(
        self,
        rows: Conversations,
        conversation: Conversation,
        released: Released,
        *,
        kind: str = "message",
        author_kind: str = "notice",
        author_name: str | None = None,
        extra: dict[str, Any] | None = None,
        turn: Turn | None = None,
        related: list[Any] | None = None,
        explanation: dict[str, Any] | None = None,
    ) -> Message:
        """A complete message, delivered: row, event and audit row in this transaction.

        ``kind`` is the event's name: 'message' carries the whole message, notices such as
        'handover' or 'joined' carry its text and id.
        """
        citations = [citation.as_json() for citation in released.citations]
        message = await rows.add_message(
            conversation,
            author_kind=author_kind,
            author_name=author_name or self.company.name,
            text=released.text,
            state="released",
            citations=citations,
            provenance={**dict(released.provenance), **({"related": related} if related else {})},
            explanation=explanation,
            turn_id=turn.id if turn else None,
            message_id=turn.message_id if turn else None,
        )
        await self.deliver(rows, conversation, message, released, kind=kind, extra=extra)
        return message

    async def deliver(
        self,
        rows: Conversations,
        conversation: Conversation,
        message: Message,
        released: Released,
        *,
        kind: str = "message",
        extra: dict[str, Any] | None = None,
    ) -> None:
        """released -> delivered: the message's event is committed to the durable log."""
        message.delivered_at = rows.now
        message.position = conversation.last_position + 1
        message.state = "delivered"
        payload: dict[str, Any] = {"message_id": message.id, **(extra or {})}
        if kind == "message":
            payload["message"] = message_json(message, released.text)
        await rows.append_event(conversation, kind, payload, released, message.id)
        if message.author_kind in ("bot", "person"):
            self.outbox.message(rows, conversation, message)

    async def say_static(
        self,
        rows: Conversations,
        conversation: Conversation,
        text_id: str,
        *,
        kind: str = "message",
        extra: dict[str, Any] | None = None,
    ) -> Message:
        released = release_static(text_id, self.company.texts)
        return await self.say(rows, conversation, released, kind=kind, extra=extra)

    async def on_duty(self, rows: Conversations) -> bool:
        return await rows.someone_on_duty(self.settings.presence_s)

    async def admit_absence(self, rows: Conversations, conversation: Conversation) -> None:
        """Nobody is here: said honestly, once in a wait, with a way to leave contact details."""
        if conversation.absence_told_at is None:
            conversation.absence_told_at = rows.now
            await self.say_static(
                rows, conversation, "nobody_on_duty", extra={"contact_form": True}
            )

    async def hand_over(
        self,
        rows: Conversations,
        conversation: Conversation,
        released: Released,
        *,
        urgent: bool,
        why: str,
        turn: Turn | None = None,
        explanation: dict[str, Any] | None = None,
    ) -> None:
        """bot -> waiting for a person, with a message that says what happens next."""
        on_duty = await self.on_duty(rows)
        conversation.state = "waiting"
        conversation.waiting_since = conversation.waiting_since or rows.now
        conversation.urgent = conversation.urgent or urgent
        await self.say(
            rows,
            conversation,
            released,
            kind="handover",
            author_kind="bot" if turn else "notice",
            author_name=self.company.bot_name if turn else None,
            turn=turn,
            explanation=explanation,
            extra={"urgent": urgent, "on_duty": on_duty, "contact_form": not on_duty},
        )
        if not on_duty:
            await self.admit_absence(rows, conversation)
        await rows.audit(
            conversation.id, "system", "conversation.waiting", conversation.id, {"urgent": urgent}
        )
        self.outbox.handover(rows, conversation, on_duty=on_duty)
        rows.tell_staff("conversation", conversation.id, "waiting")


def message_json(message: Message, text: str) -> dict[str, Any]:
    """A message as customers and staff receive it."""
    return {
        "id": message.id,
        "author": {"kind": message.author_kind, "name": message.author_name},
        "text": text,
        "citations": message.citations,
        "related": message.provenance.get("related", []),
        "created_at": iso(message.created_at),
        "position": message.position,
    }
