"""Tables of what leaves the house by itself, and of the clock that all processes share."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from chatbot.storage.base import Base, one_of


class WebhookDelivery(Base):
    """The outbox: written in the transaction of what it tells, sent afterwards."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        one_of("target", "events", "notify"),
        one_of("state", "waiting", "delivered", "skipped", "dead"),
        CheckConstraint("(state = 'waiting') = (finished_at IS NULL)", name="finished"),
        Index("ix_webhook_deliveries_state_due", "state", "due_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    """Sent as ``webhook-id``: the receiver tells a second try from a second event by it."""
    target: Mapped[str] = mapped_column(String(10))
    kind: Mapped[str] = mapped_column(String(40))
    conversation_id: Mapped[str | None] = mapped_column(String(40), index=True)
    position: Mapped[int | None]
    """Skipped if the client has acknowledged this position when the delivery is due."""
    payload_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[float]
    """Moved ahead while an attempt runs, so that a killed sender's delivery is tried again."""
    last_status: Mapped[int | None]
    last_error: Mapped[str | None] = mapped_column(String(300))
    created_at: Mapped[float]
    finished_at: Mapped[float | None]


class ClockAnchor(Base):
    """Seconds between a machine's boot clock and the epoch, fixed once for each boot."""

    __tablename__ = "clock_anchors"

    boot_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    offset_s: Mapped[float]
    created_at: Mapped[float]
