"""The tables. States are checked by the database as well as by the services.

Times are seconds since the epoch (float, UTC). ``*_sealed`` columns are encrypted by ``Vault``
with the row's id as context.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}

SYSTEM = "system"  # audit chain of what belongs to no conversation


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {dict[str, Any]: JSON, list[Any]: JSON}  # noqa: RUF012


def _one_of(column: str, *values: str) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(v) for v in values)})", name=column)


class Conversation(Base):
    __tablename__ = "conversations"
    __table_args__ = (
        _one_of("state", "bot", "waiting", "person", "closed"),
        CheckConstraint("(state = 'person') = (owner_id IS NOT NULL)", name="owned"),
        Index("ix_conversations_state_updated", "state", "updated_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    state: Mapped[str] = mapped_column(String(10), default="bot")
    token_hash: Mapped[str] = mapped_column(String(64))
    token_expires_at: Mapped[float]
    locale: Mapped[str | None] = mapped_column(String(35))
    owner_id: Mapped[str | None] = mapped_column(String(40))
    owner_name: Mapped[str | None] = mapped_column(String(80))
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


class Message(Base):
    __tablename__ = "messages"
    __table_args__ = (
        _one_of("author_kind", "customer", "bot", "person", "notice"),
        _one_of("state", "drafted", "held", "released", "delivered", "withdrawn"),
        UniqueConstraint("conversation_id", "idempotency_key", name="uq_messages_idempotency"),
        Index("ix_messages_conversation_created", "conversation_id", "created_at"),
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


class Turn(Base):
    __tablename__ = "turns"
    __table_args__ = (
        _one_of("state", "queued", "running", "done", "superseded"),
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
        _one_of("state", "open", "resolved", "withdrawn"),
        CheckConstraint("(state = 'open') = (resolution IS NULL)", name="resolution"),
        Index(
            "uq_review_items_open",
            "conversation_id",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
        Index("ix_review_items_state_promised", "state", "promised_at"),
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
    intent: Mapped[str] = mapped_column(String(80))
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


class ApiKey(Base):
    __tablename__ = "api_keys"
    __table_args__ = (_one_of("role", "widget", "agent", "reviewer", "admin"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    role: Mapped[str] = mapped_column(String(10))
    name: Mapped[str] = mapped_column(String(80))
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[float]
    expires_at: Mapped[float | None]
    revoked_at: Mapped[float | None]


class Feedback(Base):
    __tablename__ = "feedback"
    __table_args__ = (_one_of("thumbs", "up", "down"),)

    message_id: Mapped[str] = mapped_column(ForeignKey("messages.id"), primary_key=True)
    thumbs: Mapped[str] = mapped_column(String(4))
    comment_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[float]


class Presence(Base):
    """Staff whose console was heard from; the newest beats decide who is on duty."""

    __tablename__ = "presence"

    key_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    role: Mapped[str] = mapped_column(String(10))
    seen_at: Mapped[float]


class StaffChange(Base):
    """What consoles refetch: ids and states only."""

    __tablename__ = "staff_changes"

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    kind: Mapped[str] = mapped_column(String(20))
    subject: Mapped[str] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(20))
    created_at: Mapped[float]
