"""What people decided, as labelled examples with PII replaced.

Nothing is copied for it: examples are read out of the decided items and of agents' replies, so
that what was erased, what is too old and what a customer refused is in no example.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from chatbot.conversations.message_rows import asks
from chatbot.conversations.office import Office
from chatbot.conversations.repository import Conversations
from chatbot.safety.entities import resolve
from chatbot.safety.pii import find_entities, find_known, redact
from chatbot.safety.released import KEPT
from chatbot.storage.tables import Conversation, Message, ReviewItem
from chatbot.types import HistoryMessage

HISTORY = 6  # what a prompt sees
BATCH = 200


@dataclass(frozen=True)
class Example:
    """``sentences`` are the draft's, with the passages that support each; ``citations`` those of
    the final text. ``verdict``: approved, edited, rejected or reply."""

    id: str
    verdict: str
    question: str
    history: tuple[HistoryMessage, ...]
    passages: tuple[Mapping[str, Any], ...]
    draft: str
    final: str
    sentences: tuple[Mapping[str, Any], ...]
    citations: tuple[Mapping[str, Any], ...]
    reasons: tuple[str, ...]
    why: str | None = None
    """The reviewer's own words about a rejected draft."""
    edit_distance: float | None = None
    intent: str = ""
    at: float = field(default=0.0)


class Replacer:
    """One conversation's values as its placeholders, in every text alike: what the screen found in
    one message, an agent's reply does not give away."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = dict(known)

    def __call__(self, text: str) -> str:
        entities = resolve([*find_entities(text), *find_known(text, self._known)])
        replaced, found = redact(text, entities, self._known)
        self._known |= found
        return replaced


async def examples(office: Office) -> AsyncIterator[Example]:
    """Oldest first, item decisions and then agents' replies."""
    if office.rules.file.learning.consent == "never":
        return
    async for example in _decided(office):
        yield example
    async for example in _replies(office):
        yield example


def _learnable(office: Office, conversation: Conversation) -> bool:
    if conversation.erased_at is not None:
        return False
    if office.rules.file.learning.consent == "only_if_given":
        return conversation.training_consent is True
    return conversation.training_consent is not False


async def _decided(office: Office) -> AsyncIterator[Example]:
    after = ""
    while True:
        async with office.read() as rows:
            found = (
                await rows.session.execute(
                    select(ReviewItem, Conversation)
                    .join(Conversation, Conversation.id == ReviewItem.conversation_id)
                    .where(
                        ReviewItem.state == "resolved",
                        ReviewItem.outcome_sealed.is_not(None),
                        ReviewItem.id > after,
                    )
                    .order_by(ReviewItem.id)
                    .limit(BATCH)
                )
            ).all()
            read = [
                await _from_item(rows, item, conversation)
                for item, conversation in found
                if _learnable(office, conversation) and _kept(office, rows, item.created_at)
            ]
        for example in read:
            yield example
        if len(found) < BATCH:
            return
        after = found[-1][0].id


def _kept(office: Office, rows: Conversations, created_at: float) -> bool:
    """Within the retention, even where the erasing job has not come by yet."""
    days = office.settings.retention_days
    return days == 0 or created_at >= rows.now - days * 86_400


async def _from_item(rows: Conversations, item: ReviewItem, conversation: Conversation) -> Example:
    detail = rows.vault.open_json(item.detail_sealed, item.id)
    outcome = rows.vault.open_json(item.outcome_sealed, item.id)
    clean = Replacer(rows.placeholders(conversation))
    first = detail.get("first_position", 1)
    history = await _history(
        rows, conversation.id, detail["last_position"] + 1, clean, asked_from=first
    )
    prefix = detail["released_prefix"]

    def whole(text: str) -> str:
        return clean(f"{prefix} {text}".strip())

    return Example(
        id=item.id,
        verdict=str(item.resolution),
        question=clean(detail["question"]),
        history=history,
        passages=tuple(detail["passages"]),
        draft=whole(detail["draft"]),
        final=whole(outcome["text"]),
        sentences=tuple(
            {**sentence, "text": clean(sentence["text"])}
            for number, sentence in enumerate(detail["sentences"])
            if sentence["verdict"] in KEPT
            and (sentence["released"] or number >= detail.get("first_held", 0))
        ),
        citations=tuple(outcome["citations"]),
        reasons=tuple(item.codes),
        why=clean(outcome["reason"]) if outcome.get("reason") else None,
        edit_distance=item.edit_distance,
        intent=item.intent,
        at=item.resolved_at or item.created_at,
    )


async def _replies(office: Office) -> AsyncIterator[Example]:
    """What an agent answered in a taken-over conversation, with the question before it."""
    async with office.read() as rows:
        query = select(Message, Conversation).join(
            Conversation, Conversation.id == Message.conversation_id
        )
        found = (
            await rows.session.execute(
                query.where(
                    Message.author_kind == "person",
                    Message.state == "delivered",
                    Message.erased_at.is_(None),
                    Message.turn_id.is_(None),
                ).order_by(Message.created_at)
            )
        ).all()
        wanted = [
            (message, conversation)
            for message, conversation in found
            if message.provenance.get("decision") == "reply"
            and _learnable(office, conversation)
            and _kept(office, rows, message.created_at)
        ]
    for message, conversation in wanted:
        async with office.read() as rows:
            example = await _from_reply(rows, message, conversation)
        if example is not None:
            yield example


async def _from_reply(
    rows: Conversations, message: Message, conversation: Conversation
) -> Example | None:
    """None for an agent who wrote first, or twice: there is no question to learn from."""
    clean = Replacer(rows.placeholders(conversation))
    before = await _history(rows, conversation.id, message.position or 0, clean, keep=50)
    asked: list[str] = []
    while before and before[-1].role == "customer":
        asked.insert(0, before[-1].text)
        before = before[:-1]
    if not asked:
        return None
    return Example(
        id=message.id,
        verdict="reply",
        question="\n".join(asked),
        history=before[-HISTORY:],
        passages=(),
        draft="",
        final=clean(rows.text(message)),
        sentences=(),
        citations=(),
        reasons=(),
        at=message.created_at,
    )


async def _history(
    rows: Conversations,
    conversation_id: str,
    before: int,
    clean: Replacer,
    keep: int = HISTORY,
    asked_from: int | None = None,
) -> tuple[HistoryMessage, ...]:
    """As the turn saw it: without the question, which begins at ``asked_from``."""
    found = []
    for message in await rows.messages(conversation_id):
        kind = message.author_kind
        if message.provenance.get("by") == "static":
            continue  # a notice, whoever it is from
        if asked_from is not None and asks(message, asked_from):
            continue
        if kind in ("customer", "bot", "person") and (message.position or 0) < before:
            role = "customer" if kind == "customer" else "bot" if kind == "bot" else "person"
            found.append(HistoryMessage(role, clean(rows.text(message))))  # type: ignore[arg-type]
    return tuple(found[-keep:])
