"""What a customer who comes back is shown."""

from __future__ import annotations

from typing import Any

from chatbot.conversations.office import message_json
from chatbot.conversations.records import joined
from chatbot.conversations.repository import Conversations
from chatbot.errors import NotFound


async def history_of(
    rows: Conversations, conversation_id: str, consent_rule: str
) -> dict[str, Any]:
    """Delivered messages, plus the sentences of an answer that is still being written.
    Raises NotFound."""
    conversation = await rows.find(conversation_id)
    if conversation is None:
        raise NotFound(f"there is no conversation {conversation_id!r}")
    messages = await rows.messages(conversation_id)
    shown = [message_json(message, rows.text(message)) for message in messages]
    item = await rows.open_item(conversation_id)
    turn = await rows.active_turn(conversation_id)
    started = item.message_id if item else turn.message_id if turn else None
    partial = await rows.sentence_events(conversation_id, started) if started else []
    return {
        "messages": shown,
        "partial": {"message_id": started, "text": joined(partial)} if partial else None,
        "state": conversation.state,
        "consent": {"rule": consent_rule, "given": conversation.training_consent},
        "held": item is not None,
        "last_event_id": conversation.last_position,
    }
