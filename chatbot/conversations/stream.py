"""Server-sent events from the durable log, resumable at any position.

Source of the format: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy import func, select

from chatbot.conversations.event_rows import AT_ONCE
from chatbot.conversations.hub import STAFF, wait
from chatbot.conversations.office import Office
from chatbot.conversations.repository import Conversations
from chatbot.errors import Unavailable
from chatbot.storage.tables import StaffChange

log = logging.getLogger(__name__)

LOOK_AGAIN_S = 5.0  # wake-ups are a help, not the truth: look again without one
LOOK_BACK = 100  # PostgreSQL commits out of order: a lower number may appear after a higher one
_PARTS = frozenset({"sentence", "received"})  # what is not noted one by one


def sse(event: str, data: dict[str, Any], position: int | None = None) -> str:
    head = "" if position is None else f"id: {position}\n"
    return f"{head}event: {event}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


async def customer_events(office: Office, conversation_id: str, after: int) -> AsyncIterator[str]:
    """Everything after position ``after``, then what comes, with a heartbeat comment."""
    heartbeat_s = office.settings.heartbeat_s
    position, typing, quiet_s = after, False, 0.0
    yield ": connected\n\n"
    with office.hub.listening(conversation_id) as news:
        while True:
            news.clear()
            # A client that leaves cancels this stream, but no query half-way: that would cost a
            # connection of the pool.
            events, writing = await asyncio.shield(_look(office, conversation_id, position))
            for position, kind, payload in events:
                yield sse(kind, _public(payload), position)
            if any(kind not in _PARTS for _, kind, _ in events):
                await asyncio.shield(_acknowledge(office, conversation_id, position))
            if writing != typing:
                typing = writing
                yield sse("typing", {"on": typing})
            if events:
                quiet_s = 0.0
            if len(events) == AT_ONCE:
                continue
            pause = min(LOOK_AGAIN_S, heartbeat_s)
            await wait(news, pause)
            if news.is_set():
                continue
            quiet_s += pause
            if quiet_s >= heartbeat_s:
                quiet_s = 0.0
                yield ": heartbeat\n\n"


async def _look(
    office: Office, conversation_id: str, position: int
) -> tuple[list[tuple[int, str, dict[str, Any]]], bool]:
    """Events after the position, and whether an answer is being written."""
    async with office.read() as rows:
        events = await rows.events_after(conversation_id, position)
        return events, await rows.is_active(conversation_id)


async def _acknowledge(office: Office, conversation_id: str, position: int) -> None:
    """The client took everything up to here: it asked for what comes next."""
    try:
        async with office.database.write() as session:
            await Conversations(session, office.vault, office.clock()).acknowledge(
                conversation_id, position
            )
    except Unavailable as error:
        log.warning("position %d of %s was not noted: %s", position, conversation_id, error)


def _public(payload: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in payload.items() if name != "provenance"}


async def staff_events(office: Office) -> AsyncIterator[str]:
    """Changes of items and conversations from now on: ids and states, to fetch again."""
    async with office.read() as rows:
        began = await rows.session.scalar(select(func.max(StaffChange.seq))) or 0
    newest, sent = began, dict[int, None]()
    yield sse("ping", {})
    with office.hub.listening(STAFF) as news:
        while True:
            news.clear()
            after = max(began, newest - LOOK_BACK)
            changes = await asyncio.shield(_changes(office, after))
            fresh = [change for change in changes if change.seq not in sent]
            for change in fresh:
                newest = max(newest, change.seq)
                sent[change.seq] = None
                yield sse(change.kind, {"id": change.subject, "state": change.state}, change.seq)
            for seq in [seq for seq in sent if seq <= newest - LOOK_BACK]:
                del sent[seq]
            if not fresh:
                await wait(news, office.settings.heartbeat_s)
                if not news.is_set():
                    yield sse("ping", {})
                await asyncio.sleep(0)


async def _changes(office: Office, after: int) -> Sequence[StaffChange]:
    async with office.read() as rows:
        query = select(StaffChange).where(StaffChange.seq > after).order_by(StaffChange.seq)
        return (await rows.session.scalars(query.limit(500))).all()
