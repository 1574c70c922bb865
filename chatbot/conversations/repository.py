"""All SQL of conversations: rows in, rows out, no commit.

Whoever changes a conversation locks its row first (``lock``): positions, audit rows and the
ownership check of the sending transaction all depend on that lock.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

from sqlalchemy import ColumnElement, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from chatbot.errors import NotFound
from chatbot.safety.released import Released
from chatbot.storage import (
    audit,
    states,  # noqa: F401 - from here on every assignment of a state is checked
)
from chatbot.storage.crypto import Vault
from chatbot.storage.ids import new_id
from chatbot.storage.tables import (
    Conversation,
    Event,
    Feedback,
    Message,
    Presence,
    ReviewItem,
    StaffChange,
    Turn,
)
from chatbot.types import HistoryMessage

CLAIM_TRIES = 3

_ROLES: dict[str, Literal["customer", "bot", "person"]] = {
    "customer": "customer",
    "bot": "bot",
    "person": "person",
}


class Conversations:
    """Bound to one transaction, one vault and one moment."""

    def __init__(self, session: AsyncSession, vault: Vault, now: float) -> None:
        self.session, self.vault, self.now = session, vault, now

    # Conversations

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

    def placeholders(self, conversation: Conversation) -> dict[str, str]:
        found: dict[str, str] = self.vault.open_json(
            conversation.placeholders_sealed, conversation.id, {}
        )
        return found

    def keep_placeholders(self, conversation: Conversation, placeholders: dict[str, str]) -> None:
        conversation.placeholders_sealed = self.vault.seal_json(placeholders, conversation.id)

    # Events: the only way to the customer

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
        self, conversation_id: str, position: int, limit: int = 200
    ) -> list[tuple[int, str, dict[str, Any]]]:
        rows = await self.session.scalars(
            select(Event)
            .where(Event.conversation_id == conversation_id, Event.position > position)
            .order_by(Event.position)
            .limit(limit)
        )
        return [(row.position, row.kind, self.payload(row)) for row in rows]

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

    async def sentence_events(self, message_id: str) -> list[dict[str, Any]]:
        rows = await self.session.scalars(
            select(Event)
            .where(Event.message_id == message_id, Event.kind == "sentence")
            .order_by(Event.position)
        )
        return [self.payload(row) for row in rows]

    def payload(self, row: Event) -> dict[str, Any]:
        found: dict[str, Any] = self.vault.open_json(
            row.payload_sealed, f"{row.conversation_id}/{row.position}"
        )
        return found

    # Messages

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

    async def last_message(self, conversation_id: str) -> Message | None:
        found: Message | None = await self.session.scalar(
            select(Message)
            .where(Message.conversation_id == conversation_id, Message.state == "delivered")
            .order_by(Message.position.desc())
            .limit(1)
        )
        return found

    def text(self, message: Message) -> str:
        return self.vault.open(message.text_sealed, message.id)

    def redacted(self, message: Message, placeholders: Mapping[str, str]) -> str:
        """The text with known values replaced: what prompts, summaries and exports read."""
        text = self.text(message)
        for placeholder, value in placeholders.items():
            text = text.replace(value, placeholder)
        return text

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

    # Turns

    async def active_turn(self, conversation_id: str) -> Turn | None:
        found: Turn | None = await self.session.scalar(
            select(Turn).where(
                Turn.conversation_id == conversation_id, Turn.state.in_(("queued", "running"))
            )
        )
        return found

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

    # Around a conversation

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

    async def someone_on_duty(self, presence_s: float) -> bool:
        seen = await self.session.scalar(
            select(func.count())
            .select_from(Presence)
            .where(Presence.seen_at >= self.now - presence_s)
        )
        return bool(seen)

    def tell_staff(self, kind: str, subject: str, state: str) -> None:
        self.session.add(StaffChange(kind=kind, subject=subject, state=state, created_at=self.now))

    async def audit(
        self,
        conversation_id: str,
        actor: str,
        action: str,
        subject: str,
        data: dict[str, Any] | None = None,
    ) -> None:
        await audit.record(
            self.session,
            self.vault,
            chain=conversation_id,
            at=self.now,
            actor=actor,
            action=action,
            subject=subject,
            data=data,
        )


def asks(message: Message, first_position: int) -> bool:
    """Whether the message is part of the question that begins at this position."""
    return message.author_kind == "customer" and (message.position or 0) >= first_position


def as_json(value: Any) -> Any:
    """A dataclass of the turn's vocabulary as plain JSON values."""
    return json.loads(json.dumps(asdict(value), default=str))
