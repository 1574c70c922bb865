"""All SQL of the router's learning: first messages of turns, and what people made of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from sqlalchemy import and_, select

from chatbot.conversations.office import Office
from chatbot.learning.examples import Replacer
from chatbot.storage.tables import Conversation, Feedback, Message, ReviewItem, Turn

BATCH = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """A customer's message as it was routed. ``text`` has placeholders for PII."""

    id: str
    text: str
    intent: str | None
    """What the router thought then, where the answer went to review."""
    resolution: str | None
    """What the reviewer did: approved, edited, rejected, ..."""
    thumbs: str | None


async def asked(office: Office) -> AsyncIterator[Asked]:
    """Oldest first. Left out: what was erased, is older than the retention, or belongs to a
    customer whose consent review.toml asks for and who has not given it."""
    consent = office.rules.file.learning.consent
    if consent == "never":
        return
    wanted = [Conversation.erased_at.is_(None), Message.erased_at.is_(None)]
    if consent == "only_if_given":
        wanted.append(Conversation.training_consent.is_(True))
    else:
        wanted.append(Conversation.training_consent.is_not(False))
    after = ""
    while True:
        async with office.read() as rows:
            oldest = rows.now - office.settings.retention_days * 86_400
            kept = [Message.created_at >= oldest] if office.settings.retention_days else []
            found = (
                await rows.session.execute(
                    select(Turn.id, Message, Conversation, ReviewItem, Feedback.thumbs)
                    .join(Conversation, Conversation.id == Turn.conversation_id)
                    .join(
                        Message,
                        and_(
                            Message.conversation_id == Turn.conversation_id,
                            Message.position == Turn.first_position,
                            Message.author_kind == "customer",
                        ),
                    )
                    .outerjoin(ReviewItem, ReviewItem.turn_id == Turn.id)
                    .outerjoin(Feedback, Feedback.message_id == Turn.message_id)
                    .where(*wanted, *kept, Turn.id > after)
                    .order_by(Turn.id)
                    .limit(BATCH)
                )
            ).all()
            read = []
            for _, message, conversation, item, thumbs in found:
                clean = Replacer(rows.placeholders(conversation))
                read.append(
                    Asked(
                        message.id,
                        clean(rows.text(message)),
                        item.intent if item else None,
                        item.resolution if item else None,
                        thumbs,
                    )
                )
        for message_asked in read:
            yield message_asked
        if len(found) < BATCH:
            return
        after = found[-1][0]
