"""All SQL of messages: what was said, sealed, in order, and redacted for prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import select

from chatbot.conversations.rows import Rows
from chatbot.safety.pii import hide
from chatbot.storage.ids import new_id
from chatbot.storage.tables import Conversation, Message, Turn
from chatbot.types import HistoryMessage

_ROLES: dict[str, Literal["customer", "bot", "person"]] = {
    "customer": "customer",
    "bot": "bot",
    "person": "person",
}


class MessageRows(Rows):
    """Text is opened here and nowhere else."""

    async def add_message(
        self,
        conversation: Conversation,
        *,
        author_kind: str,
        author_name: str,
        text: str,
        state: str,
        citations: list[Any] | None = None,
        provenance: dict[str, Any] | None = None,
        explanation: dict[str, Any] | None = None,
        idempotency_key: str | None = None,
        turn_id: str | None = None,
        message_id: str | None = None,
    ) -> Message:
        """``state`` 'delivered' takes the conversation's next position: the caller appends
        the event in the same transaction."""
        message_id = message_id or new_id("msg")
        delivered = state == "delivered"
        message = Message(
            id=message_id,
            conversation_id=conversation.id,
            author_kind=author_kind,
            author_name=author_name,
            state=state,
            text_sealed=self.vault.seal(text, message_id),
            citations=citations or [],
            provenance=provenance or {},
            explanation_sealed=(
                None if explanation is None else self.vault.seal_json(explanation, message_id)
            ),
            idempotency_key=idempotency_key,
            turn_id=turn_id,
            position=conversation.last_position + 1 if delivered else None,
            delivered_at=self.now if delivered else None,
            created_at=self.now,
        )
        self.session.add(message)
        await self.session.flush()
        return message

    async def message(self, message_id: str) -> Message | None:
        return await self.session.get(Message, message_id)

    async def by_idempotency_key(self, conversation_id: str, key: str) -> Message | None:
        found: Message | None = await self.session.scalar(
            select(Message).where(
                Message.conversation_id == conversation_id, Message.idempotency_key == key
            )
        )
        return found

    async def messages(
        self, conversation_id: str, *, delivered: bool = True, limit: int = 500
    ) -> Sequence[Message]:
        """The newest ``limit``, oldest first; only what the customer has, unless told."""
        query = select(Message).where(Message.conversation_id == conversation_id)
        if delivered:
            query = query.where(Message.state == "delivered")
        query = query.order_by(Message.position.desc().nulls_first(), Message.created_at.desc())
        rows = list((await self.session.scalars(query.limit(limit))).all())
        return rows[::-1]

    async def last_said(self, conversation_id: str) -> Message | None:
        """The newest that somebody said: a notice says nothing of what is wanted."""
        found: Message | None = await self.session.scalar(
            select(Message)
            .where(
                Message.conversation_id == conversation_id,
                Message.state == "delivered",
                Message.author_kind != "notice",
            )
            .order_by(Message.position.desc())
            .limit(1)
        )
        return found

    def text(self, message: Message) -> str:
        return self.vault.open(message.text_sealed, message.id)

    # Redacted

    def placeholders(self, conversation: Conversation) -> dict[str, str]:
        found: dict[str, str] = self.vault.open_json(
            conversation.placeholders_sealed, conversation.id, {}
        )
        return found

    def keep_placeholders(self, conversation: Conversation, placeholders: dict[str, str]) -> None:
        conversation.placeholders_sealed = self.vault.seal_json(placeholders, conversation.id)

    def redacted(self, message: Message, placeholders: Mapping[str, str]) -> str:
        """The text with known values replaced: what prompts, summaries and exports read."""
        return hide(self.text(message), placeholders)

    async def spoken(
        self, conversation: Conversation, asked_from: int | None = None
    ) -> list[HistoryMessage]:
        """What customer, bot and people said, oldest first, redacted, without notices; and
        without the question itself, the customer's words from ``asked_from`` on."""
        placeholders = self.placeholders(conversation)
        history = []
        for message in await self.messages(conversation.id):
            role = _ROLES.get(message.author_kind)
            if role is None or (asked_from is not None and asks(message, asked_from)):
                continue
            history.append(HistoryMessage(role, self.redacted(message, placeholders)))
        return history

    async def question(self, turn: Turn) -> str:
        """Everything the customer said that this turn answers, one message a line."""
        messages = await self.messages(turn.conversation_id)
        return "\n".join(self.text(m) for m in messages if asks(m, turn.first_position))


def asks(message: Message, first_position: int) -> bool:
    """Whether the message is part of the question that begins at this position."""
    return message.author_kind == "customer" and (message.position or 0) >= first_position
