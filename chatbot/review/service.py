"""The review queue: claim, renew, approve, edit, reject, redraft.

Exactly one reviewer resolves an item (invariant 4): every act names the item's version, and the
winning transaction changes it. A lease is not a state: a holder, until when.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from chatbot.access.keys import Staff
from chatbot.conversations.office import Office, message_json
from chatbot.conversations.repository import Conversations
from chatbot.conversations.staff import CheckPerson, clean_reply, must_pass
from chatbot.errors import BadInput, Conflict, DeskgateError
from chatbot.review.repository import ReviewItems
from chatbot.safety.released import Released, release_by_person
from chatbot.storage.moments import iso
from chatbot.storage.tables import Conversation, ReviewItem
from chatbot.types import Citation

Supporting = Callable[[str, list[dict[str, Any]]], Awaitable[list[dict[str, Any]]]]
"""(text, passages) -> citations of the passages that support a sentence of the text."""


class ReviewService:
    def __init__(self, office: Office, check: CheckPerson, supporting: Supporting) -> None:
        self.office, self.check, self.supporting = office, check, supporting

    # Reading

    async def listed(self, state: str, limit: int, offset: int, query: str) -> dict[str, Any]:
        async with self.office.read() as rows:
            items = ReviewItems(rows.session)
            wanted = query.casefold().strip()
            # Text is encrypted at rest: a search opens the newest items and looks inside.
            found = await items.listed(state, 2000 if wanted else limit, 0 if wanted else offset)
            shown = [self._summary(rows, item) for item in found]
            if wanted:
                shown = [
                    item
                    for item in shown
                    if wanted in f"{item['question']} {item['draft']} {item['intent']}".casefold()
                ][offset : offset + limit]
            return {"items": shown, "total": await items.count(state)}

    async def detail(self, item_id: str) -> dict[str, Any]:
        async with self.office.read() as rows:
            return await self._detail(rows, await ReviewItems(rows.session).find(item_id))

    async def _detail(self, rows: Conversations, item: ReviewItem) -> dict[str, Any]:
        detail = self._opened(rows, item)
        messages = await rows.messages(item.conversation_id)
        return self._summary(rows, item) | {
            "conversation": [message_json(m, rows.text(m)) for m in messages],
            "sentences": detail["sentences"],
            "passages": [
                {"number": n, **passage} for n, passage in enumerate(detail["passages"], start=1)
            ],
            "route": detail["route"],
            "citations": detail["citations"],
            "outcome": rows.vault.open_json(item.outcome_sealed, item.id),
        }

    @staticmethod
    def _opened(rows: Conversations, item: ReviewItem) -> dict[str, Any]:
        detail: dict[str, Any] = rows.vault.open_json(item.detail_sealed, item.id)
        return detail

    def _summary(self, rows: Conversations, item: ReviewItem) -> dict[str, Any]:
        detail = self._opened(rows, item)
        leased = item.holder_id is not None and item.lease_until > rows.now
        return {
            "id": item.id,
            "state": item.state,
            "version": item.version,
            "conversation_id": item.conversation_id,
            "created_at": iso(item.created_at),
            "waiting_s": max(0.0, (item.resolved_at or rows.now) - item.created_at),
            "promised_in_s": item.promised_at - rows.now,
            "holder": {"id": item.holder_id, "name": item.holder_name} if leased else None,
            "lease_until": iso(item.lease_until) if leased else None,
            "stale": item.stale,
            "urgent": item.urgent,
            "reasons": detail["reasons"],
            "question": detail["question"],
            "draft": detail["draft"],
            "released_prefix": detail["released_prefix"],
            "intent": item.intent,
            "resolution": item.resolution,
        }

    # The lease

    async def claim(self, item_id: str, staff: Staff) -> dict[str, Any]:
        """Takes the lease, or keeps one's own. Raises Conflict when another holds it."""
        async with self._changing(item_id) as (rows, _, item):
            self._must_be_open(item)
            if item.holder_id not in (None, staff.id) and item.lease_until > rows.now:
                raise Conflict(
                    f"{item.holder_name} is working on this item", holder={"name": item.holder_name}
                )
            item.holder_id, item.holder_name = staff.id, staff.name
            item.lease_until = rows.now + self.office.settings.review_lease_s
            item.version += 1
            await self._record(rows, item, staff, "item.claim")
            return await self._detail(rows, item)

    async def renew(self, item_id: str, staff: Staff) -> dict[str, Any]:
        async with self._changing(item_id) as (rows, _, item):
            self._must_hold(rows, item, staff, None)
            item.lease_until = rows.now + self.office.settings.review_lease_s
            return self._summary(rows, item)

    async def unclaim(self, item_id: str, staff: Staff) -> dict[str, Any]:
        async with self._changing(item_id) as (rows, _, item):
            self._must_hold(rows, item, staff, None)
            item.holder_id, item.holder_name, item.lease_until = None, None, 0.0
            item.version += 1
            await self._record(rows, item, staff, "item.unclaim")
            return self._summary(rows, item)

    # Decisions

    async def approve(self, item_id: str, staff: Staff, version: int) -> dict[str, Any]:
        """The draft leaves as it stands, on the reviewer's word."""
        async with self._changing(item_id) as (rows, conversation, item):
            self._must_hold(rows, item, staff, version)
            detail = self._opened(rows, item)
            if not detail["draft"]:
                raise BadInput("there is no draft to approve; edit it or reject it with a reply")
            return await self._resolve(
                rows,
                conversation,
                item,
                staff,
                "approved",
                detail["draft"],
                detail["citations"],
                detail,
            )

    async def edit(
        self, item_id: str, staff: Staff, version: int, text: str, override_reason: str | None
    ) -> dict[str, Any]:
        """The reviewer's text leaves in place of the draft; the gate looks at it first."""
        return await self._own_words(item_id, staff, version, text, override_reason, "edited", {})

    async def reject(
        self,
        item_id: str,
        staff: Staff,
        version: int,
        reason: str,
        reply: str,
        override_reason: str | None,
    ) -> dict[str, Any]:
        """The draft is thrown away with a reason; the customer gets the reviewer's reply."""
        if not reason.strip():
            raise BadInput("say in a word why the draft is rejected; it becomes training data")
        return await self._own_words(
            item_id, staff, version, reply, override_reason, "rejected", {"reason": reason.strip()}
        )

    async def _own_words(
        self,
        item_id: str,
        staff: Staff,
        version: int,
        text: str,
        override_reason: str | None,
        decision: str,
        outcome: dict[str, Any],
    ) -> dict[str, Any]:
        text = clean_reply(text)
        async with self.office.read() as rows:
            item = await ReviewItems(rows.session).find(item_id)
            self._must_hold(rows, item, staff, version)
            conversation = await rows.find(item.conversation_id)
            own = frozenset(rows.placeholders(conversation).values()) if conversation else ()
            detail = self._opened(rows, item)
        verdict = await self.check(text, frozenset(own))
        must_pass(verdict, staff, override_reason)
        citations = await self.supporting(text, detail["passages"])
        async with self._changing(item_id) as (rows, conversation, item):
            self._must_hold(rows, item, staff, version)
            return await self._resolve(
                rows,
                conversation,
                item,
                staff,
                decision,
                text,
                citations,
                detail,
                outcome | {"override_reason": override_reason},
            )

    async def redraft(self, item_id: str, staff: Staff, version: int) -> None:
        """Withdraws this draft and lets the bot write another, with all that was said since."""
        async with self._changing(item_id) as (rows, conversation, item):
            self._must_hold(rows, item, staff, version)
            messages = await rows.messages(conversation.id)
            detail = self._opened(rows, item)
            if detail["released_prefix"]:
                raise Conflict(
                    "the beginning of this answer is with the customer already; edit the rest"
                )
            unanswered = [
                message.position or 0
                for message in messages
                if message.author_kind == "customer"
                and rows.text(message) in detail["question"].split("\n")
            ]
            self._close(rows, item, staff, "withdrawn", "redrafted")
            held = await rows.message(item.message_id)
            if held is not None:
                held.state = "withdrawn"
            await rows.add_turn(conversation, min(unanswered, default=conversation.last_position))
            await self._record(rows, item, staff, "item.redraft")

    async def approve_many(
        self, chosen: list[tuple[str, int]], staff: Staff
    ) -> list[dict[str, Any]]:
        """Identical drafts in one act; each item still stands or falls by itself."""
        results = []
        for item_id, version in chosen:
            try:
                async with self.office.read() as rows:
                    seen = await ReviewItems(rows.session).find(item_id)
                if seen.version != version:
                    raise Conflict("the item changed since you looked", version=seen.version)
                claimed = await self.claim(item_id, staff)
                resolved = await self.approve(item_id, staff, claimed["version"])
                results.append({"id": item_id, "state": resolved["state"]})
            except DeskgateError as error:
                results.append({"id": item_id, "state": "unchanged", "detail": error.detail})
        return results

    # Within a transaction

    @asynccontextmanager
    async def _changing(
        self, item_id: str
    ) -> AsyncIterator[tuple[Conversations, Conversation, ReviewItem]]:
        """Locks the conversation, then the item; commits at the end."""
        async with self.office.read() as rows:
            conversation_id = (await ReviewItems(rows.session).find(item_id)).conversation_id
        async with self.office.write(conversation_id) as rows:
            conversation = await rows.lock(conversation_id)
            yield rows, conversation, await ReviewItems(rows.session).lock(item_id)

    async def _resolve(
        self,
        rows: Conversations,
        conversation: Conversation,
        item: ReviewItem,
        staff: Staff,
        decision: str,
        text: str,
        citations: list[dict[str, Any]],
        detail: dict[str, Any],
        outcome: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The winning transaction: the text is delivered and the item closed, together."""
        self._close(rows, item, staff, "resolved", decision)
        item.outcome_sealed = rows.vault.seal_json(
            {"text": text, "citations": citations, **(outcome or {})}, item.id
        )
        message = await rows.message(item.message_id)
        if message is None:
            raise Conflict("the held message is gone")
        prefix = detail["released_prefix"]
        whole = f"{prefix} {text}".strip() if prefix else text
        sent = await rows.sentence_events(item.message_id)
        known = [citation for payload in sent for citation in payload["citations"]]
        released = self._released(whole, known + citations, staff, decision, outcome)
        message.text_sealed = rows.vault.seal(whole, message.id)
        message.citations = _unique(known + citations)
        message.provenance = dict(released.provenance)
        message.state = "released"
        if decision != "approved":
            message.author_kind, message.author_name = "person", staff.name
        await self.office.deliver(rows, conversation, message, released)
        if decision == "approved" and item.stale and conversation.state == "bot":
            # The draft answers what was asked before; the bot goes on with what came after.
            await rows.add_turn(conversation, await self._first_unseen(rows, item))
        if conversation.state == "bot":
            conversation.waiting_since = conversation.absence_told_at = None
        await self._record(
            rows,
            item,
            staff,
            f"item.{decision}",
            {"text": rows.vault.digest(text), "draft": rows.vault.digest(detail["draft"])},
        )
        return self._summary(rows, item)

    @staticmethod
    async def _first_unseen(rows: Conversations, item: ReviewItem) -> int:
        """Position of the first customer message that the held draft did not know of."""
        messages = await rows.messages(item.conversation_id)
        return min(
            message.position or 0
            for message in messages
            if message.author_kind == "customer" and message.created_at > item.created_at
        )

    @staticmethod
    def _released(
        text: str,
        citations: list[dict[str, Any]],
        staff: Staff,
        decision: str,
        outcome: dict[str, Any] | None,
    ) -> Released:
        return release_by_person(
            text,
            actor=staff.actor,
            decision=decision,
            citations=tuple(Citation(**citation) for citation in _unique(citations)),
            override_reason=(outcome or {}).get("override_reason"),
        )

    @staticmethod
    def _close(
        rows: Conversations, item: ReviewItem, staff: Staff, state: str, resolution: str
    ) -> None:
        item.state, item.resolution = state, resolution
        item.resolved_by, item.resolved_at = staff.id, rows.now
        item.holder_id = item.holder_name = None
        item.lease_until = 0.0
        item.version += 1

    @staticmethod
    def _must_be_open(item: ReviewItem) -> None:
        if item.state != "open":
            raise Conflict(f"this item is {item.state} already ({item.resolution})")

    def _must_hold(
        self, rows: Conversations, item: ReviewItem, staff: Staff, version: int | None
    ) -> None:
        self._must_be_open(item)
        if item.holder_id != staff.id:
            raise Conflict("you do not hold this item; claim it first")
        if item.lease_until <= rows.now:
            raise Conflict("your lease has expired; claim the item again, your text is kept here")
        if version is not None and item.version != version:
            raise Conflict(
                "the customer wrote again or the item changed; read it once more, then decide",
                version=item.version,
            )

    async def _record(
        self,
        rows: Conversations,
        item: ReviewItem,
        staff: Staff,
        action: str,
        data: dict[str, Any] | None = None,
    ) -> None:
        await rows.audit(item.conversation_id, staff.actor, action, item.id, data)
        rows.tell_staff("item", item.id, item.state)


def _unique(citations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for citation in citations:
        found.setdefault((citation["article"], citation["anchor"]), citation)
    return list(found.values())
