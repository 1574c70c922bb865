"""Tables of people who work here: keys, signed-in sessions, presence, what consoles refetch."""

from __future__ import annotations

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from chatbot.storage.base import Base, one_of


class ApiKey(Base):
    __tablename__ = "api_keys"
    __table_args__ = (one_of("role", "widget", "agent", "reviewer", "admin"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    role: Mapped[str] = mapped_column(String(10))
    name: Mapped[str] = mapped_column(String(80))
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[float]
    expires_at: Mapped[float | None]
    revoked_at: Mapped[float | None]


class StaffSession(Base):
    """Somebody who signed in by OpenID Connect; the cookie's token is stored hashed."""

    __tablename__ = "staff_sessions"
    __table_args__ = (one_of("role", "agent", "reviewer", "admin"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    staff_id: Mapped[str] = mapped_column(String(40))
    """Stays the same for the same person at the same issuer."""
    name: Mapped[str] = mapped_column(String(80))
    role: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[float]
    seen_at: Mapped[float]
    expires_at: Mapped[float]
    ended_at: Mapped[float | None]


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
