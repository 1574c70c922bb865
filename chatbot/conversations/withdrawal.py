"""Somebody else speaks now, or nobody: a running turn stops and a held draft is withdrawn."""

from __future__ import annotations

from chatbot.conversations.ledger import TurnLedger
from chatbot.conversations.office import Office
from chatbot.conversations.records import joined
from chatbot.conversations.repository import Conversations
from chatbot.safety.released import release_static
from chatbot.storage.tables import Conversation, ReviewItem


async def withdraw_pending(
    office: Office, ledger: TurnLedger, rows: Conversations, conversation: Conversation, why: str
) -> None:
    """The caller holds the conversation's lock. What was delivered stays with the customer."""
    turn = await rows.active_turn(conversation.id)
    if turn is not None:
        await ledger.supersede(rows, conversation, turn, why)
    item = await rows.open_item(conversation.id)
    if item is None:
        return
    close_item(rows, item, None, "withdrawn", why)
    message = await rows.message(item.message_id)
    if message is not None:
        message.state = "withdrawn"
    sent = await rows.sentence_events(item.conversation_id, item.message_id)
    payload = {"message_id": item.message_id, **({"kept": joined(sent)} if sent else {})}
    released = release_static("withdrawn_notice", office.company.texts)
    await rows.append_event(conversation, "withdrawn", payload, released, item.message_id)
    await rows.audit(conversation.id, "system", "item.withdrawn", item.id, {"why": why})
    rows.tell_staff("item", item.id, "withdrawn")


def close_item(
    rows: Conversations, item: ReviewItem, by: str | None, state: str, resolution: str
) -> None:
    """open -> resolved or withdrawn; the lease ends with it."""
    item.state, item.resolution = state, resolution
    item.resolved_by, item.resolved_at = by, rows.now
    item.holder_id = item.holder_name = None
    item.lease_until = 0.0
    item.version += 1
