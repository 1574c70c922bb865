"""The review queue: claim, renew, assign, approve, edit, reject, redraft.

Exactly one reviewer resolves an item (invariant 4): every act names the item's version, and the
winning transaction changes it. A lease is not a state: a holder, until when.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from chatbot.access.keys import Staff
from chatbot.conversations.office import Office
from chatbot.conversations.repository import Conversations
from chatbot.conversations.staff import CheckPerson, clean_reply, must_pass
from chatbot.conversations.withdrawal import close_item
from chatbot.errors import BadInput, Conflict
from chatbot.review.deciding import Decided, deliver, stale
from chatbot.review.distance import edit_distance
from chatbot.review.repository import Filters, ReviewItems
from chatbot.review.views import ItemViews, opened
from chatbot.storage.tables import Conversation, ReviewItem

Supporting = Callable[[str, list[dict[str, Any]]], Awaitable[list[dict[str, Any]]]]
"""(text, passages) -> citations of the passages that support a sentence of the text."""


class ReviewService:
    def __init__(self, office: Office, check: CheckPerson, supporting: Supporting) -> None:
        self.office, self.check, self.supporting = office, check, supporting
        self.views = ItemViews(office)

    # Reading

    async def listed(
        self,
        state: str = "open",
        limit: int = 100,
        offset: int = 0,
        query: str = "",
        *,
        filters: Filters | None = None,
        staff_id: str = "",
    ) -> dict[str, Any]:
        return await self.views.listed(filters or Filters(state), limit, offset, query, staff_id)

    async def detail(self, item_id: str) -> dict[str, Any]:
        return await self.views.found(item_id)

    # The lease

    async def claim(self, item_id: str, staff: Staff) -> dict[str, Any]:
        """Takes the lease, or keeps one's own. Raises Conflict when another holds it."""
        async with self._changing(item_id) as (rows, _, item):
            return await self._take(rows, item, staff)

    async def claim_next(self, staff: Staff, team: str | None = None) -> dict[str, Any] | None:
        """The most pressing item that is free and within this person's skills, claimed."""
        teams = self.office.rules.teams_of(staff.name) if team is None else (team,)
        async with self.office.write() as rows:
            items = ReviewItems(rows.session)
            item_id = await items.next_for(staff.id, teams, rows.now)
            if item_id is None:
                return None
            return await self._take(rows, await items.lock(item_id), staff)

    async def _take(self, rows: Conversations, item: ReviewItem, staff: Staff) -> dict[str, Any]:
        self._must_be_open(item)
        if item.holder_id not in (None, staff.id) and item.lease_until > rows.now:
            holder = {"id": item.holder_id, "name": item.holder_name}
            raise Conflict(f"{item.holder_name} is working on this item", holder=holder)
        foreign = item.assignee_id not in (None, staff.id)
        if foreign and item.late_steps == 0 and staff.role != "admin":
            raise Conflict(f"this item is assigned to {item.assignee_name}")
        item.holder_id, item.holder_name = staff.id, staff.name
        item.lease_until = rows.now + self.office.settings.review_lease_s
        item.version += 1
        await self._record(rows, item, staff, "item.claim")
        return await self.views.detail(rows, item)

    async def renew(self, item_id: str, staff: Staff) -> dict[str, Any]:
        async with self._changing(item_id) as (rows, _, item):
            self._must_hold(rows, item, staff, None)
            item.lease_until = rows.now + self.office.settings.review_lease_s
            return await self.views.summary(rows, item)

    async def unclaim(self, item_id: str, staff: Staff) -> dict[str, Any]:
        async with self._changing(item_id) as (rows, _, item):
            self._must_hold(rows, item, staff, None)
            item.holder_id, item.holder_name, item.lease_until = None, None, 0.0
            item.version += 1
            await self._record(rows, item, staff, "item.unclaim")
            return await self.views.summary(rows, item)

    async def assign(
        self, item_id: str, staff: Staff, to: tuple[str, str] | None
    ) -> dict[str, Any]:
        """Reserves an item for (id, name), or for nobody; who works on it goes on."""
        async with self._changing(item_id) as (rows, _, item):
            self._must_be_open(item)
            item.assignee_id, item.assignee_name = to or (None, None)
            item.version += 1
            await self._record(rows, item, staff, "item.assign", {"to": item.assignee_id})
            return await self.views.summary(rows, item)

    # Decisions

    async def approve(
        self, item_id: str, staff: Staff, version: int, *, although_stale: bool = False
    ) -> dict[str, Any]:
        """The draft leaves as it stands, on the reviewer's word.

        Raises Stale when the customer wrote again after it was written: an answer that ignores
        the newer message leaves only if the reviewer says so.
        """
        async with self._changing(item_id) as (rows, conversation, item):
            self._must_hold(rows, item, staff, version)
            detail = opened(rows, item)
            if item.stale and not although_stale:
                raise stale(conversation, item, detail)
            if not detail["draft"]:
                raise BadInput("there is no draft to approve; edit it or reject it with a reply")
            decided = Decided("approved", detail["draft"], detail["citations"], 0.0)
            await deliver(self.office, rows, conversation, item, staff, decided)
            return await self.views.summary(rows, item)

    async def edit(
        self, item_id: str, staff: Staff, version: int, text: str, override_reason: str | None
    ) -> dict[str, Any]:
        """The reviewer's text leaves in place of the draft; the gate looks at it first."""
        decided = await self.own_words(item_id, staff, version, "edited", text, override_reason)
        return await self.decide(item_id, staff, version, decided)

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
        decided = await self.own_words(
            item_id, staff, version, "rejected", reply, override_reason, reason
        )
        return await self.decide(item_id, staff, version, decided)

    async def own_words(
        self,
        item_id: str,
        staff: Staff,
        version: int,
        decision: str,
        text: str,
        override_reason: str | None,
        reason: str | None = None,
    ) -> Decided:
        """What is known before the transaction: the gate's word, citations, distance.
        Raises GateRefuses, NotAllowed, BadInput and TooLarge."""
        if reason is not None and not reason.strip():
            raise BadInput("say in a word why the draft is rejected; it becomes training data")
        text = clean_reply(text)
        async with self.office.read() as rows:
            item = await ReviewItems(rows.session).find(item_id)
            self._must_hold(rows, item, staff, version)
            conversation = await rows.find(item.conversation_id)
            own = frozenset(rows.placeholders(conversation).values()) if conversation else ()
            detail = opened(rows, item)
        must_pass(await self.check(text, frozenset(own)), staff, override_reason)
        citations = await self.supporting(text, detail["passages"])
        distance = edit_distance(detail["draft"], text) if decision == "edited" else None
        why = reason.strip() if reason else None
        return Decided(decision, text, citations, distance, why, override_reason)

    async def decide(
        self, item_id: str, staff: Staff, version: int, decided: Decided
    ) -> dict[str, Any]:
        """The winning transaction: lease and version are read again, then the text leaves."""
        async with self._changing(item_id) as (rows, conversation, item):
            self._must_hold(rows, item, staff, version)
            await deliver(self.office, rows, conversation, item, staff, decided)
            return await self.views.summary(rows, item)

    async def redraft(self, item_id: str, staff: Staff, version: int) -> None:
        """Withdraws this draft and lets the bot write another, with all that was said since."""
        async with self._changing(item_id) as (rows, conversation, item):
            self._must_hold(rows, item, staff, version)
            detail = opened(rows, item)
            if detail["released_prefix"]:
                raise Conflict(
                    "the beginning of this answer is with the customer already; edit the rest"
                )
            if conversation.state != "bot":
                raise Conflict("the customer waits for a person; answer, or take the chat over")
            close_item(rows, item, staff.id, "withdrawn", "redrafted")
            held = await rows.message(item.message_id)
            if held is not None:
                held.state = "withdrawn"
            await rows.add_turn(conversation, detail["first_position"])
            await self._record(rows, item, staff, "item.redraft")

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

    @staticmethod
    async def _record(
        rows: Conversations,
        item: ReviewItem,
        staff: Staff,
        action: str,
        data: dict[str, Any] | None = None,
    ) -> None:
        await rows.audit(item.conversation_id, staff.actor, action, item.id, data)
        rows.tell_staff("item", item.id, item.state)
