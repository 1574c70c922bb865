"""Sessions of people who signed in: a random token in a cookie, stored hashed, that expires.

Requests that change something also carry ``csrf_token``, which is derived from the session's
token: another site can make a browser send the cookie, but cannot read this value.
Source: https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass

from sqlalchemy import Select, select

from chatbot.access.keys import Staff
from chatbot.conversations.office import Office
from chatbot.errors import NotAllowed, NotAuthenticated
from chatbot.storage import audit
from chatbot.storage.ids import new_id
from chatbot.storage.tables import SYSTEM, StaffSession

COOKIE = "deskgate_session"
CSRF_HEADER = "x-csrf-token"
SEEN_EVERY_S = 60.0  # "was active" is written down at most this often
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class SignedIn:
    staff: Staff
    expires_at: float


class Sessions:
    def __init__(self, office: Office) -> None:
        self.office = office

    async def start(self, staff: Staff) -> tuple[str, float]:
        """(token for the cookie, when it expires)."""
        token = secrets.token_urlsafe(32)
        async with self.office.write() as rows:
            expires_at = rows.now + self.office.settings.session_hours * 3600
            rows.session.add(
                StaffSession(
                    id=new_id("sess"),
                    token_hash=rows.vault.hash_token(token),
                    staff_id=staff.id,
                    name=staff.name[:80],
                    role=staff.role,
                    created_at=rows.now,
                    seen_at=rows.now,
                    expires_at=expires_at,
                )
            )
            await audit.record(
                rows.session,
                rows.vault,
                chain=SYSTEM,
                at=rows.now,
                actor=staff.actor,
                action="session.started",
                subject=staff.id,
            )
        return token, expires_at

    async def recognise(self, token: str) -> SignedIn:
        """Raises NotAuthenticated for an unknown, ended, idle or expired session."""
        idle_s = self.office.settings.session_idle_minutes * 60
        async with self.office.read() as rows:
            row = await rows.session.scalar(self._by(token))
            now = rows.now
        if row is None or row.ended_at is not None:
            raise NotAuthenticated("this session has ended; sign in again")
        if row.expires_at <= now or row.seen_at + idle_s <= now:
            raise NotAuthenticated("this session has expired; sign in again")
        if now - row.seen_at >= min(SEEN_EVERY_S, idle_s / 2):
            async with self.office.write() as rows:
                seen = await rows.session.get(StaffSession, row.id, with_for_update=True)
                if seen is not None:
                    seen.seen_at = max(seen.seen_at, now)
        return SignedIn(Staff(row.staff_id, row.name, row.role), row.expires_at)

    async def end(self, token: str) -> None:
        async with self.office.write() as rows:
            row = await rows.session.scalar(self._by(token).with_for_update())
            if row is not None:
                row.ended_at = row.ended_at or rows.now

    def csrf_token(self, token: str) -> str:
        return self.office.vault.hash_token(f"csrf {token}")

    def check_csrf(self, token: str, method: str, given: str | None) -> None:
        """Raises NotAllowed when a changing request does not prove where it comes from."""
        if method in SAFE_METHODS:
            return
        if given is None or not hmac.compare_digest(self.csrf_token(token), given):
            raise NotAllowed("send the csrf_token of GET /v1/staff/me as the header X-CSRF-Token")

    def _by(self, token: str) -> Select[StaffSession]:
        return select(StaffSession).where(
            StaffSession.token_hash == self.office.vault.hash_token(token)
        )
