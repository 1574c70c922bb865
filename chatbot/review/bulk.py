"""Identical drafts in one act; each item still stands or falls by itself."""

from __future__ import annotations

from typing import Any

from chatbot.access.keys import Staff
from chatbot.errors import Conflict, DeskgateError
from chatbot.review.deciding import Decided
from chatbot.review.repository import ReviewItems
from chatbot.review.service import ReviewService


async def decide_alike(
    review: ReviewService,
    chosen: list[tuple[str, int]],
    staff: Staff,
    rejection: tuple[str, str] | None = None,
) -> list[dict[str, Any]]:
    """Approves items (id, version), or rejects them with (reason, reply).

    Returns ``{id, state, detail?}`` for each; one that differs, changed, is stale or is held by
    another stays ``unchanged`` and ``detail`` says why.
    """
    results: list[dict[str, Any]] = []
    draft: str | None = None
    decided: Decided | None = None
    for item_id, version in chosen:
        try:
            async with review.office.read() as rows:
                seen = await ReviewItems(rows.session).find(item_id)
            draft = draft or seen.draft_hash
            if seen.draft_hash != draft:
                raise Conflict("its draft differs from the first one's; decide it by itself")
            if seen.version != version:
                raise Conflict("the item changed since you looked", version=seen.version)
            if seen.stale and rejection is None:
                raise Conflict("the customer wrote again after this draft; decide it by itself")
            claimed = (await review.claim(item_id, staff))["version"]
            if rejection is None:
                resolved = await review.approve(item_id, staff, claimed)
            else:
                reason, reply = rejection
                decided = decided or await review.own_words(
                    item_id, staff, claimed, "rejected", reply, None, reason
                )
                resolved = await review.decide(item_id, staff, claimed, decided)
            results.append({"id": item_id, "state": resolved["state"]})
        except DeskgateError as error:
            results.append({"id": item_id, "state": "unchanged", "detail": error.detail})
    return results
