"""What is to leave by webhook, written down in the transaction of what it tells.

Two targets: ``events`` gets signed JSON, ``notify`` a sentence that Slack and Mattermost show.
A notification holds ids and reasons, never a customer's words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chatbot.settings import Settings
from chatbot.storage.ids import new_id
from chatbot.storage.tables import Conversation, Message, ReviewItem, WebhookDelivery

if TYPE_CHECKING:
    from chatbot.conversations.repository import Conversations

MESSAGE_RELEASED = "message.released"
ITEM_WAITING = "item.waiting"
ITEM_LATE = "item.late"
HANDOVER_WAITING = "handover.waiting"


class Outbox:
    """Puts deliveries into the caller's transaction; does nothing where no target is set."""

    def __init__(self, settings: Settings) -> None:
        self._events = settings.webhook_url is not None
        self._notify = settings.notify_url is not None
        self._away_s = settings.webhook_away_s
        self._public_url = (settings.public_url or "").rstrip("/")

    def message(self, rows: Conversations, conversation: Conversation, message: Message) -> None:
        """An answer for a customer who may be away: sent unless the client has it by then.
        What is sent is the event of the durable log, read when the delivery is due."""
        if self._events:
            self._put(
                rows,
                "events",
                MESSAGE_RELEASED,
                {"conversation_id": conversation.id, "message_id": message.id},
                conversation.id,
                position=message.position,
                after_s=self._away_s,
            )

    def item(self, rows: Conversations, item: ReviewItem, *, late: bool = False) -> None:
        kind = ITEM_LATE if late else ITEM_WAITING
        data = {
            "item_id": item.id,
            "conversation_id": item.conversation_id,
            "intent": item.intent,
            "reasons": list(item.codes),
            "urgent": item.urgent,
            "team": item.team,
            "waiting_s": round(max(0.0, rows.now - item.created_at), 1),
        }
        what = "An answer is late" if late else "An answer waits for review"
        why = f" ({', '.join(item.codes)})" if item.codes else ""
        self._tell(rows, kind, data, f"{what}{why}{_urgent(item.urgent)}", item.conversation_id)

    def handover(self, rows: Conversations, conversation: Conversation, *, on_duty: bool) -> None:
        data = {
            "conversation_id": conversation.id,
            "urgent": conversation.urgent,
            "on_duty": on_duty,
        }
        text = f"A customer waits for a person{_urgent(conversation.urgent)}"
        self._tell(rows, HANDOVER_WAITING, data, text, conversation.id)

    def _tell(
        self, rows: Conversations, kind: str, data: dict[str, Any], text: str, conversation_id: str
    ) -> None:
        if self._events:
            self._put(rows, "events", kind, data, conversation_id)
        if self._notify:
            link = f"\n{self._public_url}/console" if self._public_url else ""
            self._put(rows, "notify", kind, {"text": text + link}, conversation_id)

    @staticmethod
    def _put(
        rows: Conversations,
        target: str,
        kind: str,
        data: dict[str, Any],
        conversation_id: str,
        *,
        position: int | None = None,
        after_s: float = 0.0,
    ) -> None:
        delivery_id = new_id("evt")
        rows.session.add(
            WebhookDelivery(
                id=delivery_id,
                target=target,
                kind=kind,
                conversation_id=conversation_id,
                position=position,
                payload_sealed=rows.vault.seal_json(data, delivery_id),
                state="waiting",
                due_at=rows.now + after_s,
                created_at=rows.now,
            )
        )


def _urgent(urgent: bool) -> str:
    return " — urgent" if urgent else ""
