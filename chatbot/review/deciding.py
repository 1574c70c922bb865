"""The winning transaction: the text is delivered and the item closed, together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from chatbot.access.keys import Staff
from chatbot.conversations.office import Office
from chatbot.conversations.records import unique_citations
from chatbot.conversations.repository import Conversations
from chatbot.conversations.withdrawal import close_item
from chatbot.errors import Conflict
from chatbot.review.views import opened
from chatbot.safety.released import release_by_person
from chatbot.storage.tables import Conversation, ReviewItem
from chatbot.types import Citation


class Stale(Conflict):
    """The customer wrote again after the draft was written; approving it needs a word more."""

    slug, title = "stale", "The customer has written again since this draft was written"


def stale(conversation: Conversation, item: ReviewItem, detail: Mapping[str, Any]) -> Stale:
    """The error, with ``remedies`` as a console offers them."""
    can_redraft = conversation.state == "bot" and not detail["released_prefix"]
    return Stale(
        "the customer wrote again after this draft was written: "
        + ("ask for another draft, " if can_redraft else "")
        + "edit it so that it answers everything, or approve it with although_stale, and the "
        "newer message is answered after it",
        version=item.version,
        remedies=[*(["redraft"] if can_redraft else []), "edit", "although_stale"],
    )


@dataclass(frozen=True)
class Decided:
    """What a person decided. ``text`` is what follows the released beginning."""

    decision: str
    """'approved', 'edited' or 'rejected'."""
    text: str
    citations: list[dict[str, Any]]
    edit_distance: float | None = None
    reason: str | None = None
    override_reason: str | None = None


async def deliver(
    office: Office,
    rows: Conversations,
    conversation: Conversation,
    item: ReviewItem,
    staff: Staff,
    decided: Decided,
) -> None:
    """The caller holds the locks and has checked lease and version."""
    detail = opened(rows, item)
    message = await rows.message(item.message_id)
    if message is None:
        raise Conflict("the held message is gone")
    close_item(rows, item, staff.id, "resolved", decided.decision)
    item.outcome_sealed = rows.vault.seal_json(asdict(decided), item.id)
    item.edit_distance = decided.edit_distance
    prefix = detail["released_prefix"]
    whole = f"{prefix} {decided.text}".strip() if prefix else decided.text
    sent = await rows.sentence_events(item.conversation_id, item.message_id)
    known = [citation for payload in sent for citation in payload["citations"]]
    citations = unique_citations(known + decided.citations)
    released = release_by_person(
        whole,
        actor=staff.actor,
        decision=decided.decision,
        citations=tuple(Citation(**citation) for citation in citations),
        override_reason=decided.override_reason,
    )
    message.text_sealed = rows.vault.seal(whole, message.id)
    message.citations = citations
    message.provenance = dict(released.provenance)
    message.state = "released"
    if decided.decision != "approved":
        message.author_kind, message.author_name = "person", staff.name
    await office.deliver(rows, conversation, message, released)
    if conversation.state == "bot":
        if decided.decision == "approved" and item.stale:
            # The draft answers what was asked before: one turn answers all that came after,
            # with the approved text in its history.
            await rows.add_turn(conversation, detail["last_position"] + 1)
        conversation.waiting_since = conversation.absence_told_at = None
    digests = {
        "text": rows.vault.digest(decided.text),
        "draft": rows.vault.digest(detail["draft"]),
        "override": bool(decided.override_reason),
        "stale": item.stale,
    }
    action = f"item.{decided.decision}"
    await rows.audit(item.conversation_id, staff.actor, action, item.id, digests)
    rows.tell_staff("item", item.id, item.state)
