"""A draft that the gate does not release becomes a review item, and the customer is told."""

from __future__ import annotations

from typing import Any

from chatbot.conversations.office import Office
from chatbot.conversations.records import as_json, draft_citations, joined, sentences_json
from chatbot.conversations.repository import Conversations
from chatbot.steps import Held
from chatbot.storage.ids import new_id
from chatbot.storage.tables import Conversation, ReviewItem, Turn


async def hold(
    office: Office, rows: Conversations, conversation: Conversation, turn: Turn, step: Held
) -> None:
    """The caller holds the conversation's lock and finishes the turn."""
    company = office.company
    sent = await rows.sentence_events(turn.conversation_id, turn.message_id)
    draft = step.remainder
    summary: dict[str, Any] = {
        "released_prefix": joined(sent),
        "draft": draft,
        "question": await rows.question(turn),
        "reasons": [as_json(reason) for reason in step.reasons],
    }
    detail: dict[str, Any] = {
        **summary,
        "first_position": turn.first_position,
        "last_position": conversation.last_position,
        "first_held": step.first_held,
        "sentences": sentences_json(step.draft, step.first_held),
        "passages": [as_json(p) | {"url": p.url} for p in step.passages],
        "route": step.route.as_json(),
        "citations": draft_citations(step),
    }
    message = await rows.add_message(
        conversation,
        author_kind="bot",
        author_name=company.bot_name,
        text=draft,
        state="held",
        turn_id=turn.id,
        message_id=turn.message_id,
    )
    on_duty = await office.on_duty(rows)
    rules, intent, item_id = office.rules, step.route.intent, new_id("item")
    target_s = rules.target_s(conversation.urgent)
    item = ReviewItem(
        id=item_id,
        conversation_id=conversation.id,
        message_id=message.id,
        turn_id=turn.id,
        state="open",
        urgent=conversation.urgent,
        priority=rules.priority_of(intent),
        team=rules.team_of(intent),
        intent=intent,
        codes=list(dict.fromkeys(reason.code.value for reason in step.reasons)),
        draft_hash=rows.vault.digest(draft) if draft else "",
        summary_sealed=rows.vault.seal_json(summary, item_id),
        detail_sealed=rows.vault.seal_json(detail, item_id),
        created_at=rows.now,
        promised_at=rows.now + target_s,
    )
    rows.session.add(item)
    await rows.session.flush()
    office.outbox.item(rows, item)
    conversation.waiting_since = conversation.waiting_since or rows.now
    await office.say_static(
        rows,
        conversation,
        "held_notice",
        kind="held",
        extra={
            "message_id": message.id,
            "expected_wait_s": target_s if on_duty else None,
            "on_duty": on_duty,
            "contact_form": not on_duty,
        },
    )
    if not on_duty:
        await office.admit_absence(rows, conversation)
    await rows.audit(
        conversation.id,
        "system",
        "item.open",
        item.id,
        {
            "reasons": [reason.code.value for reason in step.reasons],
            "draft": rows.vault.digest(draft),
        },
    )
    rows.tell_staff("item", item.id, "open")
