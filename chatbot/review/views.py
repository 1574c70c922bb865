"""Review items as staff see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatbot.conversations.office import Office, message_json
from chatbot.conversations.repository import Conversations
from chatbot.review.repository import Filters, ReviewItems
from chatbot.storage.moments import iso
from chatbot.storage.tables import ReviewItem

SEARCHED = 5000  # text is encrypted at rest: a search opens this many and looks inside


class ItemViews:
    """Reads items; changes nothing."""

    def __init__(self, office: Office) -> None:
        self.office = office

    async def listed(
        self, filters: Filters, limit: int, offset: int, query: str, staff_id: str
    ) -> dict[str, Any]:
        wanted = query.casefold().strip()
        async with self.office.read() as rows:
            items = ReviewItems(rows.session)
            found = await items.listed(
                filters, SEARCHED if wanted else limit, 0 if wanted else offset
            )
            old = [item.id for item in found if item.summary_sealed is None]
            details = await items.details(old) if old else {}
            identical = await items.identical()
            shown = [
                self._shown(
                    rows,
                    item,
                    rows.vault.open_json(item.summary_sealed or details[item.id], item.id),
                    identical,
                )
                for item in found
            ]
            if wanted:
                shown = [item for item in shown if wanted in _searched(item)]
                shown = shown[offset : offset + limit]
            return {
                "items": shown,
                "total": await items.count(filters),
                "counts": await items.counts(staff_id),
            }

    async def found(self, item_id: str) -> dict[str, Any]:
        async with self.office.read() as rows:
            return await self.detail(rows, await ReviewItems(rows.session).find(item_id))

    async def draft_hash(self, item_id: str) -> str:
        async with self.office.read() as rows:
            return (await ReviewItems(rows.session).find(item_id)).draft_hash

    async def detail(self, rows: Conversations, item: ReviewItem) -> dict[str, Any]:
        """Everything that helps to decide: conversation, sentences, passages, route."""
        detail = opened(rows, item)
        messages = await rows.messages(item.conversation_id)
        return self._shown(rows, item, detail, await _identical(rows, item)) | {
            "conversation": [message_json(m, rows.text(m)) for m in messages],
            "sentences": detail["sentences"],
            "passages": [
                {"number": n, **passage} for n, passage in enumerate(detail["passages"], start=1)
            ],
            "route": detail["route"],
            "citations": detail["citations"],
            "outcome": rows.vault.open_json(item.outcome_sealed, item.id),
        }

    async def summary(self, rows: Conversations, item: ReviewItem) -> dict[str, Any]:
        return self._shown(rows, item, opened(rows, item), await _identical(rows, item))

    @staticmethod
    def _shown(
        rows: Conversations, item: ReviewItem, said: dict[str, Any], identical: Mapping[str, int]
    ) -> dict[str, Any]:
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
            "assignee": (
                {"id": item.assignee_id, "name": item.assignee_name} if item.assignee_id else None
            ),
            "team": item.team,
            "priority": item.priority,
            "stale": item.stale,
            "urgent": item.urgent,
            "late_steps": item.late_steps,
            "reasons": said["reasons"],
            "codes": item.codes,
            "question": said["question"],
            "draft": said["draft"],
            "released_prefix": said["released_prefix"],
            "intent": item.intent,
            "resolution": item.resolution,
            "identical": identical.get(item.draft_hash, 1) if item.state == "open" else 1,
            "edit_distance": item.edit_distance,
        }


async def _identical(rows: Conversations, item: ReviewItem) -> Mapping[str, int]:
    if not item.draft_hash or item.state != "open":
        return {}
    same = Filters(draft_hash=item.draft_hash)
    return {item.draft_hash: await ReviewItems(rows.session).count(same)}


def opened(rows: Conversations, item: ReviewItem) -> dict[str, Any]:
    detail: dict[str, Any] = rows.vault.open_json(item.detail_sealed, item.id)
    return detail


def _searched(item: dict[str, Any]) -> str:
    return f"{item['question']} {item['draft']} {item['intent']}".casefold()
