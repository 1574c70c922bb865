"""The state machine, enforced in one place: whoever assigns a state passes here.

Tables of the database hold the same states as constraints (``tables.py``); this file holds the
moves between them. docs/people.md draws them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm.base import NO_VALUE

from chatbot.errors import Conflict
from chatbot.storage.tables import Conversation, Message, ReviewItem, Turn, WebhookDelivery

Moves = Mapping[str, frozenset[str]]
NEW = ""  # the state of a row that does not exist yet


def _moves(**states: str) -> Moves:
    return {NEW if name == "new" else name: frozenset(to.split()) for name, to in states.items()}


MOVES: Mapping[type, Moves] = {
    # What a customer wrote, and sentences that left one by one, are delivered when they are stored.
    Message: _moves(
        new="drafted held released delivered",
        drafted="held released",
        held="released withdrawn",
        released="delivered",
    ),
    ReviewItem: _moves(new="open", open="resolved withdrawn"),
    Turn: _moves(
        new="queued",
        queued="running superseded",
        running="queued done superseded",  # queued: an orderly shutdown puts it back
    ),
    Conversation: _moves(
        new="bot",
        bot="waiting person closed",
        waiting="person closed",
        person="bot closed",
        closed="bot waiting person",  # the customer writes, asks for a person; an agent steps in
    ),
    WebhookDelivery: _moves(
        new="waiting",
        waiting="delivered skipped dead",
        dead="waiting",  # replayed
    ),
}


class IllegalMove(Conflict):
    """A change of state that the state machine does not have."""


def check_move(table: type, before: str, after: str) -> None:
    """Raises IllegalMove. Staying in a state is always allowed."""
    if after != before and after not in MOVES[table].get(before, frozenset()):
        raise IllegalMove(
            f"{table.__name__} cannot go from {before or 'nothing'} to {after}; read it again"
        )


def _guard(table: type) -> None:
    def assigned(_row: Any, after: str, before: Any, _initiator: Any) -> None:
        check_move(table, NEW if before is NO_VALUE or before is None else before, after)

    event.listen(table.state, "set", assigned, active_history=True)  # type: ignore[attr-defined]


for _table in MOVES:
    _guard(_table)
