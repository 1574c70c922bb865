"""What an agent can do in a conversation: take over, write, hand back, look."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from chatbot.access.keys import Staff
from chatbot.conversations.ledger import TurnLedger
from chatbot.conversations.office import Office, message_json
from chatbot.conversations.records import as_json
from chatbot.conversations.repository import Conversations
from chatbot.conversations.withdrawal import withdraw_pending
from chatbot.errors import BadInput, Conflict, DeskgateError, NotAllowed, NotFound, TooLarge
from chatbot.safety.released import release_by_person
from chatbot.storage.moments import iso
from chatbot.storage.tables import Conversation, Presence
from chatbot.types import Decision, HistoryMessage, Verdict

MAX_REPLY_CHARS = 8000
OVERRIDE_ROLES = frozenset({"reviewer", "admin"})

CheckPerson = Callable[[str, frozenset[str]], Awaitable[Decision]]


class GateRefuses(DeskgateError):
    """What a person wrote does not pass; the person is told why and may override."""

    status, slug, title = 422, "gate-refuses", "The gate does not let this text pass"


class StaffService:
    """``check`` is the gate's word on what a person wrote (no model call in a transaction)."""

    def __init__(self, office: Office, check: CheckPerson) -> None:
        self.office, self.check = office, check
        self.ledger = TurnLedger(office)

    async def listed(self, state: str | None, limit: int) -> list[dict[str, Any]]:
        async with self.office.read() as rows:
            return [await self._summary(rows, c) for c in await rows.listed(state, limit)]

    async def _summary(self, rows: Conversations, conversation: Conversation) -> dict[str, Any]:
        last = await rows.last_said(conversation.id)
        since = conversation.waiting_since
        return {
            "id": conversation.id,
            "state": conversation.state,
            "urgent": conversation.urgent,
            "owner": (
                {"id": conversation.owner_id, "name": conversation.owner_name}
                if conversation.owner_id
                else None
            ),
            "assignee": (
                {"id": conversation.assignee_id, "name": conversation.assignee_name}
                if conversation.assignee_id
                else None
            ),
            "training_consent": conversation.training_consent,
            "created_at": iso(conversation.created_at),
            "updated_at": iso(conversation.updated_at),
            "waiting_s": None if since is None else max(0.0, rows.now - since),
            "last_text": rows.text(last)[:200] if last else "",
            "last_author": last.author_kind if last else None,
            "erased": conversation.erased_at is not None,
            "contact": rows.vault.open_json(conversation.contact_sealed, conversation.id),
            "customer": rows.vault.open_json(conversation.customer_sealed, conversation.id),
        }

    async def detail(self, conversation_id: str) -> dict[str, Any]:
        async with self.office.read() as rows:
            conversation = await rows.find(conversation_id)
            if conversation is None:
                raise NotFound(f"there is no conversation {conversation_id!r}")
            messages = await rows.messages(conversation_id)
            item = await rows.open_item(conversation_id)
            return {
                "conversation": await self._summary(rows, conversation),
                "messages": [
                    message_json(m, rows.text(m))
                    | {
                        "provenance": m.provenance,
                        "explanation": rows.vault.open_json(m.explanation_sealed, m.id),
                    }
                    for m in messages
                ],
                "open_item": item.id if item else None,
            }

    async def transcript(self, conversation_id: str) -> tuple[list[HistoryMessage], dict[str, str]]:
        """What was said, oldest first, without notices and redacted, and the values of its
        placeholders: what assist reads."""
        async with self.office.read() as rows:
            conversation = await rows.find(conversation_id)
            if conversation is None:
                raise NotFound(f"there is no conversation {conversation_id!r}")
            return await rows.spoken(conversation), dict(rows.placeholders(conversation))

    async def take_over(self, conversation_id: str, staff: Staff, name: str | None) -> None:
        """The bot falls silent in this transaction: nothing it writes later can be sent."""
        async with self.office.write(conversation_id) as rows:
            conversation = await rows.lock(conversation_id)
            if conversation.state == "person" and conversation.owner_id != staff.id:
                raise Conflict(f"{conversation.owner_name} has this conversation already")
            if conversation.state == "person":
                return
            await self._must_be_free(rows, conversation, staff)
            await withdraw_pending(
                self.office, self.ledger, rows, conversation, "a person took over"
            )
            conversation.state = "person"
            conversation.assignee_id = conversation.assignee_name = None
            conversation.owner_id, conversation.owner_name = staff.id, name or staff.name
            conversation.waiting_since = conversation.absence_told_at = None
            await self.office.say_static(
                rows,
                conversation,
                "joined_notice",
                kind="joined",
                extra={"name": conversation.owner_name},
            )
            await rows.audit(conversation_id, staff.actor, "conversation.takeover", conversation_id)
            rows.tell_staff("conversation", conversation_id, "person")

    async def _must_be_free(
        self, rows: Conversations, conversation: Conversation, staff: Staff
    ) -> None:
        """What is kept for a colleague is left to the colleague, while that one is on duty."""
        kept_for = conversation.assignee_id
        if kept_for in (None, staff.id) or staff.role == "admin":
            return
        if await rows.someone_on_duty(self.office.settings.presence_s, kept_for):
            name = conversation.assignee_name
            raise Conflict(f"this conversation is assigned to {name}, who is on duty")

    async def assign(
        self, conversation_id: str, staff: Staff, to: tuple[str, str] | None
    ) -> dict[str, Any]:
        """Keeps a conversation for (id, name), or for nobody. Raises Conflict where a person
        has it or it is over."""
        async with self.office.write(conversation_id) as rows:
            conversation = await rows.lock(conversation_id)
            if conversation.state in ("person", "closed"):
                who = conversation.owner_name or "nobody; it is closed"
                raise Conflict(f"this conversation cannot be assigned: it is with {who}")
            conversation.assignee_id, conversation.assignee_name = to or (None, None)
            await rows.audit(
                conversation_id,
                staff.actor,
                "conversation.assign",
                conversation_id,
                {"to": conversation.assignee_id},
            )
            rows.tell_staff("conversation", conversation_id, conversation.state)
            return await self._summary(rows, conversation)

    async def hand_back(self, conversation_id: str, staff: Staff) -> None:
        async with self.office.write(conversation_id) as rows:
            conversation = await rows.lock(conversation_id)
            self._must_own(conversation, staff)
            conversation.state = "bot"
            conversation.owner_id = conversation.owner_name = None
            conversation.urgent = False
            await self.office.say_static(rows, conversation, "left_notice", kind="left")
            await rows.audit(conversation_id, staff.actor, "conversation.handback", conversation_id)
            rows.tell_staff("conversation", conversation_id, "bot")

    async def reply(
        self, conversation_id: str, staff: Staff, text: str, override_reason: str | None
    ) -> dict[str, Any]:
        """A person's own words. The gate looks first; ownership is read again when sending."""
        text = clean_reply(text)
        async with self.office.read() as rows:
            conversation = await rows.find(conversation_id)
            if conversation is None:
                raise NotFound(f"there is no conversation {conversation_id!r}")
            own = frozenset(rows.placeholders(conversation).values())
        decision = await self.check(text, own)
        must_pass(decision, staff, override_reason)
        async with self.office.write(conversation_id) as rows:
            conversation = await rows.lock(conversation_id)
            self._must_own(conversation, staff)
            released = release_by_person(
                text, actor=staff.actor, decision="reply", override_reason=override_reason
            )
            message = await self.office.say(
                rows,
                conversation,
                released,
                author_kind="person",
                author_name=conversation.owner_name,
            )
            await rows.audit(
                conversation_id,
                staff.actor,
                "conversation.reply",
                message.id,
                {"text": rows.vault.digest(text), "override": bool(override_reason)},
            )
            rows.tell_staff("conversation", conversation_id, "person")
            return message_json(message, text)

    @staticmethod
    def _must_own(conversation: Conversation, staff: Staff) -> None:
        if conversation.state != "person" or conversation.owner_id != staff.id:
            raise Conflict(
                "you do not have this conversation; take it over first"
                if conversation.owner_name is None
                else f"{conversation.owner_name} has this conversation"
            )

    async def beat(self, staff: Staff) -> None:
        """The console is open: its owner is on duty for ``presence_s`` seconds."""
        async with self.office.database.write() as session:
            await session.merge(
                Presence(
                    key_id=staff.id, name=staff.name, role=staff.role, seen_at=self.office.clock()
                )
            )


def clean_reply(text: str) -> str:
    text = text.encode("utf-8", "replace").decode("utf-8").strip()
    if not text:
        raise BadInput("the text is empty; write something or reject the draft with a reply")
    if len(text) > MAX_REPLY_CHARS:
        raise TooLarge(
            f"the text has {len(text):,} characters; at most {MAX_REPLY_CHARS:,} can be sent"
        )
    return text


def must_pass(decision: Decision, staff: Staff, override_reason: str | None) -> None:
    """Raises GateRefuses, or NotAllowed when the role may not override."""
    if decision.verdict is Verdict.RELEASE:
        return
    if override_reason and override_reason.strip():
        if staff.role in OVERRIDE_ROLES:
            return
        raise NotAllowed(f"the role {staff.role!r} may not override the gate; ask a reviewer")
    raise GateRefuses(
        "; ".join(reason.detail for reason in decision.reasons),
        reasons=[as_json(reason) for reason in decision.reasons],
        may_override=staff.role in OVERRIDE_ROLES,
    )
