"""All SQL of a conversation's durable log: the only way to the customer."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from chatbot.conversations.rows import Rows
from chatbot.safety.released import Released
from chatbot.storage.crypto import Vault
from chatbot.storage.tables import Conversation, Event

AT_ONCE = 200


class EventRows(Rows):
    """Events are numbered without gaps; the caller holds the conversation's lock."""

    def __init__(self, session: AsyncSession, vault: Vault, now: float) -> None:
        super().__init__(session, vault, now)
        self.appended: list[Event] = []

    async def append_event(
        self,
        conversation: Conversation,
        kind: str,
        payload: dict[str, Any],
        released: Released | None = None,
        message_id: str | None = None,
    ) -> int:
        """Appends at the next position and returns it. Words of ours come only from
        ``released``, whose text and provenance are put into the payload here."""
        if released is not None:
            payload = {**payload, "text": released.text}
        conversation.last_position += 1
        conversation.updated_at = self.now
        event = Event(
            conversation_id=conversation.id,
            position=conversation.last_position,
            kind=kind,
            message_id=message_id,
            created_at=self.now,
            payload_sealed=self.vault.seal_json(
                payload, f"{conversation.id}/{conversation.last_position}"
            ),
        )
        self.session.add(event)
        self.appended.append(event)
        if released is not None:
            await self.audit(
                conversation.id,
                "system" if released.provenance["by"] != "person" else released.provenance["actor"],
                f"delivered.{kind}",
                message_id or conversation.id,
                {
                    "position": event.position,
                    "text": self.vault.digest(released.text),
                    "by": released.provenance["by"],
                },
            )
        return event.position

    async def events_after(
        self, conversation_id: str, position: int, limit: int = AT_ONCE
    ) -> list[tuple[int, str, dict[str, Any]]]:
        rows = await self.session.execute(
            select(Event.position, Event.kind, Event.payload_sealed)
            .where(Event.conversation_id == conversation_id, Event.position > position)
            .order_by(Event.position)
            .limit(limit)
        )
        return [
            (at, kind, self.vault.open_json(sealed, f"{conversation_id}/{at}"))
            for at, kind, sealed in rows
        ]

    async def acknowledge(self, conversation_id: str, position: int) -> None:
        """The client has everything up to here; never goes back."""
        await self.session.execute(
            update(Conversation)
            .where(Conversation.id == conversation_id, Conversation.acknowledged < position)
            .values(acknowledged=position)
        )

    async def event_at(self, conversation_id: str, position: int) -> Event | None:
        found: Event | None = await self.session.scalar(
            select(Event).where(
                Event.conversation_id == conversation_id, Event.position == position
            )
        )
        return found

    async def sentence_events(self, conversation_id: str, message_id: str) -> list[dict[str, Any]]:
        """What was delivered of one message, sentence by sentence. The conversation is named
        because its events are indexed; a message's are not."""
        rows = await self.session.scalars(
            select(Event)
            .where(
                Event.conversation_id == conversation_id,
                Event.message_id == message_id,
                Event.kind == "sentence",
            )
            .order_by(Event.position)
        )
        return [self.payload(row) for row in rows]

    def payload(self, row: Event) -> dict[str, Any]:
        found: dict[str, Any] = self.vault.open_json(
            row.payload_sealed, f"{row.conversation_id}/{row.position}"
        )
        return found
