"""Finding a customer's conversations by what the customer is known by."""

from __future__ import annotations

from sqlalchemy import select

from chatbot.conversations.office import Office
from chatbot.conversations.repository import Conversations
from chatbot.errors import BadInput, NotFound
from chatbot.storage.tables import Conversation


async def conversations_of(office: Office, who: str) -> list[str]:
    """Ids of one customer's conversations: by the id or e-mail that the site signed, or by the
    contact details that were left. Raises NotFound where there is none."""
    who = who.strip().casefold()
    if not who:
        raise BadInput("name the customer by id or e-mail address")
    known = Conversation.customer_sealed.is_not(None) | Conversation.contact_sealed.is_not(None)
    async with office.read() as rows:
        candidates = await rows.session.scalars(
            select(Conversation).where(known, Conversation.erased_at.is_(None))
        )
        found = [row.id for row in candidates if who in _names(rows, row)]
    if not found:
        raise NotFound("no conversation bears this id or e-mail address")
    return found


def _names(rows: Conversations, row: Conversation) -> set[str]:
    customer = rows.vault.open_json(row.customer_sealed, row.id, {})
    contact = rows.vault.open_json(row.contact_sealed, row.id, {})
    values = (customer.get("id"), customer.get("email"), contact.get("email"))
    return {str(value).strip().casefold() for value in values if value}
