"""What a customer can do. Each act is one short transaction; no model is called in it."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from typing import Any

from chatbot.conversations.history import history_of
from chatbot.conversations.intake import check_signature, clean_contact, clean_message
from chatbot.conversations.ledger import TurnLedger
from chatbot.conversations.office import Office, message_json
from chatbot.conversations.repository import Conversations
from chatbot.conversations.withdrawal import withdraw_pending
from chatbot.errors import Conflict, NotAuthenticated, NotFound, TooManyRequests
from chatbot.safety.released import release_static
from chatbot.storage.ids import new_id
from chatbot.storage.tables import Conversation, Message

HOUR_S = 3600.0
RENEW_SHARE = 0.5  # a token is renewed when half of its life is over: few writes, no surprise


@dataclass(frozen=True)
class Started:
    conversation_id: str
    token: str
    expires_at: float


@dataclass(frozen=True)
class Accepted:
    message_id: str
    position: int


class ConversationService:
    """Everything behind the conversation token."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.ledger = TurnLedger(office)

    async def start(
        self,
        customer: dict[str, Any] | None,
        signature: str | None,
        locale: str | None,
        training_consent: bool | None = None,
    ) -> Started:
        """A new conversation. ``customer`` is believed only with the site's HMAC signature."""
        if customer is not None:
            check_signature(self.office.settings, customer, signature)
        token = secrets.token_urlsafe(32)
        conversation_id = new_id("conv")
        async with self.office.write() as rows:
            expires_at = rows.now + self.office.settings.conversation_token_hours * HOUR_S
            conversation = Conversation(
                id=conversation_id,
                state="bot",
                token_hash=self.office.vault.hash_token(token),
                token_expires_at=expires_at,
                locale=locale,
                training_consent=training_consent,
                created_at=rows.now,
                updated_at=rows.now,
                last_position=0,
                acknowledged=0,
                urgent=False,
                customer_sealed=(
                    None
                    if customer is None
                    else self.office.vault.seal_json(customer, conversation_id)
                ),
            )
            rows.session.add(conversation)
            await rows.session.flush()
            await rows.audit(conversation_id, "customer", "conversation.start", conversation_id)
            rows.tell_staff("conversation", conversation_id, "bot")
        return Started(conversation_id, token, expires_at)

    async def authenticate(self, conversation_id: str, token: str | None) -> None:
        """Raises NotAuthenticated for a missing, wrong, foreign or expired token."""
        if not token:
            raise NotAuthenticated("send the conversation's token as: Authorization: Bearer TOKEN")
        async with self.office.read() as rows:
            conversation = await rows.find(conversation_id)
            if conversation is None:
                raise NotFound(f"there is no conversation {conversation_id!r}")
            expected = conversation.token_hash
            if not hmac.compare_digest(expected, self.office.vault.hash_token(token)):
                raise NotAuthenticated("this token does not belong to this conversation")
            left = conversation.token_expires_at - rows.now
        if left <= 0:
            raise NotAuthenticated("the conversation token has expired; start a new conversation")
        life = self.office.settings.conversation_token_hours * HOUR_S
        if left < life * RENEW_SHARE:
            async with self.office.write() as rows:
                conversation = await rows.lock(conversation_id)
                conversation.token_expires_at = rows.now + life

    async def accept(self, conversation_id: str, text: str, key: str | None) -> Accepted:
        """Takes a customer's message; when this returns, it is durable (202).

        A message that comes while an answer is being written is answered together with it:
        sentences not yet delivered are given up, delivered ones stay.
        """
        text = clean_message(text, self.office.settings.max_message_chars)
        async with self.office.write(conversation_id) as rows:
            conversation = await rows.lock(conversation_id)
            if key is not None:
                known = await rows.by_idempotency_key(conversation_id, key)
                if known is not None:
                    if rows.text(known) != text:
                        raise Conflict(f"Idempotency-Key {key!r} was used for another text")
                    return Accepted(known.id, known.position or 0)
            turn = await rows.active_turn(conversation_id)
            if turn is None and await rows.waiting_turns() >= self.office.settings.engine_queue:
                raise TooManyRequests(
                    "many customers are writing right now; your message was not taken yet, "
                    "send it again in a moment",
                    retry_after_s=5,
                )
            first_position: int | None = None
            if turn is not None:
                began = await self.ledger.supersede(rows, conversation, turn, "customer wrote")
                first_position = None if began else turn.first_position
            message = await self._add(rows, conversation, text, key)
            if conversation.state == "closed":
                conversation.state = "bot"
                conversation.waiting_since = None
            item = await rows.open_item(conversation_id)
            if item is not None:
                item.stale = True
                item.version += 1
                rows.tell_staff("item", item.id, "open")
            elif conversation.state == "bot":
                await rows.add_turn(conversation, first_position or message.position or 1)
            rows.tell_staff("conversation", conversation_id, conversation.state)
            return Accepted(message.id, message.position or 0)

    async def _add(
        self, rows: Conversations, conversation: Conversation, text: str, key: str | None
    ) -> Message:
        message = await rows.add_message(
            conversation,
            author_kind="customer",
            author_name="You",
            text=text,
            state="delivered",
            provenance={"by": "customer"},
            idempotency_key=key,
        )
        await rows.append_event(
            conversation, "received", {"message": message_json(message, text)}, None, message.id
        )
        await rows.audit(
            conversation.id,
            "customer",
            "message.accepted",
            message.id,
            {"text": rows.vault.digest(text), "position": message.position},
        )
        return message

    async def request_person(self, conversation_id: str) -> None:
        """bot -> waiting; asking again while waiting changes nothing."""
        async with self.office.write(conversation_id) as rows:
            conversation = await rows.lock(conversation_id)
            if conversation.state in ("waiting", "person"):
                return
            turn = await rows.active_turn(conversation_id)
            if turn is not None:
                await self.ledger.supersede(rows, conversation, turn, "asked for a person")
            released = release_static("handover_notice", self.office.company.texts)
            await self.office.hand_over(
                rows, conversation, released, urgent=False, why="the customer asked for a person"
            )

    async def close(
        self, conversation_id: str, actor: str = "customer", idle_since: float | None = None
    ) -> None:
        """Ends a conversation; what is held is withdrawn, and the log says so.

        With ``idle_since`` only if nothing happened after it and nobody is owed an answer.
        """
        async with self.office.write(conversation_id) as rows:
            conversation = await rows.lock(conversation_id)
            if conversation.state == "closed":
                return
            if idle_since is not None and (
                conversation.updated_at >= idle_since
                or await rows.open_item(conversation_id) is not None
                or await rows.active_turn(conversation_id) is not None
            ):
                return
            await withdraw_pending(self.office, self.ledger, rows, conversation, "closed")
            await self.office.say_static(rows, conversation, "closed_notice", kind="closed")
            conversation.state = "closed"
            conversation.owner_id = conversation.owner_name = None
            conversation.assignee_id = conversation.assignee_name = None
            conversation.waiting_since = conversation.absence_told_at = None
            conversation.urgent = False
            await rows.audit(conversation_id, actor, "conversation.closed", conversation_id)
            rows.tell_staff("conversation", conversation_id, "closed")

    async def save_contact(self, conversation_id: str, contact: dict[str, str | None]) -> None:
        """Contact details for when nobody is on duty: kept encrypted, shown to agents."""
        given = clean_contact(contact)
        async with self.office.write(conversation_id) as rows:
            conversation = await rows.lock(conversation_id)
            conversation.contact_sealed = rows.vault.seal_json(given, conversation_id)
            if conversation.state == "bot":
                conversation.state = "waiting"
                conversation.waiting_since = conversation.waiting_since or rows.now
            await self.office.say_static(rows, conversation, "contact_saved")
            await rows.audit(conversation_id, "customer", "contact.saved", conversation_id)
            rows.tell_staff("conversation", conversation_id, conversation.state)

    async def consent(self, conversation_id: str, training: bool, actor: str = "customer") -> None:
        """Whether people's decisions in this conversation may become training rows."""
        async with self.office.write() as rows:
            conversation = await rows.lock(conversation_id)
            conversation.training_consent = training
            await rows.audit(
                conversation_id, actor, "consent", conversation_id, {"training": training}
            )

    async def feedback(self, message_id: str, token: str | None, thumbs: str, comment: str) -> None:
        async with self.office.read() as rows:
            message = await rows.message(message_id)
        if message is None or message.author_kind not in ("bot", "person"):
            raise NotFound(f"there is no answer {message_id!r}")
        await self.authenticate(message.conversation_id, token)
        async with self.office.write() as rows:
            await rows.lock(message.conversation_id)
            await rows.save_feedback(message_id, thumbs, comment or None)
            await rows.audit(
                message.conversation_id, "customer", "feedback", message_id, {"thumbs": thumbs}
            )

    async def history(self, conversation_id: str) -> dict[str, Any]:
        async with self.office.read() as rows:
            return await history_of(rows, conversation_id, self.office.rules.file.learning.consent)
