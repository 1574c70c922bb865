"""The tables. States are checked by the database as well as by the services.

Times are seconds since the epoch (float, UTC). ``*_sealed`` columns are encrypted by ``Vault``
with the row's id as context.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from chatbot.storage.base import Base, one_of
from chatbot.storage.tables_outgoing import ClockAnchor, WebhookDelivery
from chatbot.storage.tables_staff import ApiKey, Presence, StaffChange, StaffSession

__all__ = [
    "SYSTEM",
    "ApiKey",
    "AuditRow",
    "Base",
    "ClockAnchor",
    "Conversation",
    "Event",
    "Feedback",
    "Message",
    "Presence",
    "ReviewItem",
    "StaffChange",
    "StaffSession",
    "Turn",
    "WebhookDelivery",
]

SYSTEM = "system"  # audit chain of what belongs to no conversation


class Conversation(Base):
    __tablename__ = "conversations"
    __table_args__ = (
        one_of("state", "bot", "waiting", "person", "closed"),
        CheckConstraint("(state = 'person') = (owner_id IS NOT NULL)", name="owned"),
        CheckConstraint("state <> 'waiting' OR waiting_since IS NOT NULL", name="waiting"),
        CheckConstraint("(assignee_id IS NULL) = (assignee_name IS NULL)", name="assignee"),
        Index("ix_conversations_state_updated", "state", "updated_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    state: Mapped[str] = mapped_column(String(10), default="bot")
    token_hash: Mapped[str] = mapped_column(String(64))
    token_expires_at: Mapped[float]
    locale: Mapped[str | None] = mapped_column(String(35))
    owner_id: Mapped[str | None] = mapped_column(String(40))
    owner_name: Mapped[str | None] = mapped_column(String(80))
    assignee_id: Mapped[str | None] = mapped_column(String(40))
    """For whom the handover is kept; the owner is who took it."""
    assignee_name: Mapped[str | None] = mapped_column(String(80))
    urgent: Mapped[bool] = mapped_column(default=False)
    last_position: Mapped[int] = mapped_column(default=0)
    acknowledged: Mapped[int] = mapped_column(default=0)
    """Highest position the client said it has, by Last-Event-ID."""
    customer_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    contact_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    placeholders_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[float]
    updated_at: Mapped[float]
    waiting_since: Mapped[float | None]
    """When the customer began to wait for a person."""
    absence_told_at: Mapped[float | None]
    """When the customer was told that nobody is on duty, for the present wait."""
    training_consent: Mapped[bool | None]
    """What the customer said about learning from this conversation; None: not asked."""
    erased_at: Mapped[float | None]


class Message(Base):
    __tablename__ = "messages"
    __table_args__ = (
        one_of("author_kind", "customer", "bot", "person", "notice"),
        one_of("state", "drafted", "held", "released", "delivered", "withdrawn"),
        UniqueConstraint("conversation_id", "idempotency_key", name="uq_messages_idempotency"),
        CheckConstraint("(state = 'delivered') = (position IS NOT NULL)", name="delivered"),
        Index("ix_messages_conversation_created", "conversation_id", "created_at"),
        Index("ix_messages_created", "created_at"),
        Index("uq_messages_position", "conversation_id", "position", unique=True),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id"))
    author_kind: Mapped[str] = mapped_column(String(10))
    author_name: Mapped[str] = mapped_column(String(80))
    state: Mapped[str] = mapped_column(String(10))
    text_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    citations: Mapped[list[Any]] = mapped_column(default=list)
    provenance: Mapped[dict[str, Any]] = mapped_column(default=dict)
    explanation_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    idempotency_key: Mapped[str | None] = mapped_column(String(128))
    turn_id: Mapped[str | None] = mapped_column(String(40), index=True)
    position: Mapped[int | None]
    """Position of the event that made it final."""
    created_at: Mapped[float]
    delivered_at: Mapped[float | None]
    erased_at: Mapped[float | None]
    """When its text was erased; the audit rows keep the text's keyed hash."""


class Turn(Base):
    __tablename__ = "turns"
    __table_args__ = (
        one_of("state", "queued", "running", "done", "superseded"),
        CheckConstraint(
            "(state IN ('queued', 'running')) = (finished_at IS NULL)", name="finished"
        ),
        Index(
            "uq_turns_active",
            "conversation_id",
            unique=True,
            sqlite_where=text("state IN ('queued', 'running')"),
            postgresql_where=text("state IN ('queued', 'running')"),
        ),
        Index("ix_turns_state_created", "state", "created_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id"))
    message_id: Mapped[str] = mapped_column(String(40))
    """Id of the bot's message that this turn writes; fixed before the first sentence."""
    state: Mapped[str] = mapped_column(String(10), default="queued")
    fence: Mapped[int] = mapped_column(default=0)
    """Grows with every claim: a worker that lost its lease can no longer write."""
    lease_until: Mapped[float] = mapped_column(default=0.0)
    attempts: Mapped[int] = mapped_column(default=0)
    first_position: Mapped[int]
    """Position of the first customer message that the turn answers."""
    created_at: Mapped[float]
    finished_at: Mapped[float | None]


class Event(Base):
    __tablename__ = "events"
    __table_args__ = (UniqueConstraint("conversation_id", "position", name="uq_events_position"),)

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    """Only wakes other workers; the customer's order is ``position``."""
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id"))
    position: Mapped[int]
    kind: Mapped[str] = mapped_column(String(20))
    payload_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    message_id: Mapped[str | None] = mapped_column(String(40))
    created_at: Mapped[float]


class ReviewItem(Base):
    __tablename__ = "review_items"
    __table_args__ = (
        one_of("state", "open", "resolved", "withdrawn"),
        CheckConstraint("(state = 'open') = (resolution IS NULL)", name="resolution"),
        CheckConstraint("(state = 'open') = (resolved_at IS NULL)", name="resolved"),
        CheckConstraint("state = 'open' OR holder_id IS NULL", name="held_while_open"),
        CheckConstraint("(holder_id IS NULL) = (holder_name IS NULL)", name="holder"),
        CheckConstraint("(assignee_id IS NULL) = (assignee_name IS NULL)", name="assignee"),
        Index(
            "uq_review_items_open",
            "conversation_id",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
        Index(
            "ix_review_items_queue",  # holds all that choosing the next item reads
            "state",
            "urgent",
            "priority",
            "promised_at",
            "holder_id",
            "lease_until",
            "assignee_id",
            "team",
            "late_steps",
            "conversation_id",
            "id",
        ),
        Index("ix_review_items_draft", "state", "draft_hash"),
        Index("ix_review_items_created", "created_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id"))
    message_id: Mapped[str] = mapped_column(ForeignKey("messages.id"))
    turn_id: Mapped[str] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(10), default="open")
    version: Mapped[int] = mapped_column(default=1)
    holder_id: Mapped[str | None] = mapped_column(String(40))
    holder_name: Mapped[str | None] = mapped_column(String(80))
    lease_until: Mapped[float] = mapped_column(default=0.0)
    stale: Mapped[bool] = mapped_column(default=False)
    urgent: Mapped[bool] = mapped_column(default=False)
    priority: Mapped[int] = mapped_column(default=0)
    """Higher first, among the urgent and among the others."""
    team: Mapped[str] = mapped_column(String(40), default="")
    """Whose skill it needs, by review.toml; '' is everybody's."""
    assignee_id: Mapped[str | None] = mapped_column(String(40))
    assignee_name: Mapped[str | None] = mapped_column(String(80))
    intent: Mapped[str] = mapped_column(String(80))
    codes: Mapped[list[Any]] = mapped_column(default=list)
    """Codes of the reasons why it is held, for filters and figures."""
    draft_hash: Mapped[str] = mapped_column(String(32), default="")
    """Keyed hash: equal drafts can be decided together without opening them."""
    edit_distance: Mapped[float | None]
    """Share of words that the reviewer changed: 0 for an approved draft."""
    late_steps: Mapped[int] = mapped_column(default=0)
    """How many of review.toml's ``[[late]]`` steps were carried out."""
    summary_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    """What a list shows, small: thousands are opened at once."""
    detail_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[float]
    promised_at: Mapped[float]
    overdue_told_at: Mapped[float | None]
    resolution: Mapped[str | None] = mapped_column(String(20))
    resolved_by: Mapped[str | None] = mapped_column(String(40))
    resolved_at: Mapped[float | None]
    outcome_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)


class AuditRow(Base):
    __tablename__ = "audit"
    __table_args__ = (UniqueConstraint("chain", "sequence", name="uq_audit_sequence"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    chain: Mapped[str] = mapped_column(String(40))
    sequence: Mapped[int]
    at: Mapped[float]
    actor: Mapped[str] = mapped_column(String(80))
    action: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(40))
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Ids, hashes and numbers; never text of a customer or an answer."""
    mac: Mapped[str] = mapped_column(String(64))


class Feedback(Base):
    __tablename__ = "feedback"
    __table_args__ = (one_of("thumbs", "up", "down"),)

    message_id: Mapped[str] = mapped_column(ForeignKey("messages.id"), primary_key=True)
    thumbs: Mapped[str] = mapped_column(String(4))
    comment_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[float]
