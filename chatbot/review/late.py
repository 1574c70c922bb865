"""What happens to an item that waits too long: the lead's ``[[late]]`` steps, each once."""

from __future__ import annotations

from chatbot.conversations.ledger import TurnLedger
from chatbot.conversations.office import Office
from chatbot.conversations.repository import Conversations
from chatbot.conversations.withdrawal import withdraw_pending
from chatbot.review.repository import ReviewItems
from chatbot.review.rules_file import LateStep
from chatbot.safety.released import release_static
from chatbot.storage.tables import Conversation, ReviewItem


class LateItems:
    """Safe on any number of workers: every step looks again under the conversation's lock."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.ledger = TurnLedger(office)

    async def once(self) -> None:
        steps = self.office.rules.late
        async with self.office.read() as rows:
            due = await ReviewItems(rows.session).late([s.after_s for s in steps], rows.now)
            waiting = [(item.id, item.conversation_id) for item in due]
        for item_id, conversation_id in waiting:
            await self._one(item_id, conversation_id, steps)

    async def _one(self, item_id: str, conversation_id: str, steps: tuple[LateStep, ...]) -> None:
        async with self.office.write(conversation_id) as rows:
            conversation = await rows.lock(conversation_id)
            item = await ReviewItems(rows.session).lock(item_id)
            for number, step in enumerate(steps):
                if item.state != "open":
                    return
                if number < item.late_steps or item.created_at + step.after_s > rows.now:
                    continue
                item.late_steps = number + 1
                item.overdue_told_at = item.overdue_told_at or rows.now
                await self._carry_out(rows, conversation, item, step)
                await rows.audit(conversation_id, "system", "item.late", item_id, {"do": step.do})
            rows.tell_staff("item", item_id, item.state)

    async def _carry_out(
        self, rows: Conversations, conversation: Conversation, item: ReviewItem, step: LateStep
    ) -> None:
        match step.do:
            case "escalate":
                item.urgent = True
                self.office.outbox.item(rows, item, late=True)
            case "holding_reply":
                await self.office.say_static(rows, conversation, step.text or "held_notice")
            case "contact_form":
                await self.office.admit_absence(rows, conversation)
            case "hand_over":
                await withdraw_pending(
                    self.office, self.ledger, rows, conversation, "handed over late"
                )
                if conversation.state == "bot":
                    released = release_static("handover_notice", self.office.company.texts)
                    await self.office.hand_over(
                        rows, conversation, released, urgent=True, why="the review was late"
                    )
