"""Wakes whoever waits for something new, within this process and across workers.

The database is the truth; a wake-up only says "look again". Within the process it is immediate.
The changes of other processes come by LISTEN and NOTIFY on PostgreSQL, and on SQLite by one
small poll, not by one poll per open stream.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator

from sqlalchemy import func, select

from chatbot.errors import Unavailable
from chatbot.storage.database import CHANNEL, Database
from chatbot.storage.tables import Event, StaffChange

log = logging.getLogger(__name__)

POLL_S = 0.2  # other workers' changes are seen after this at most; one indexed read
LISTEN_AGAIN_S = 1.0
STAFF = "staff"
TURNS = "turns"


class Hub:
    """Topics are conversation ids, ``STAFF`` and ``TURNS``."""

    def __init__(self) -> None:
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._own: set[int] | None = None
        """Events of this process that the poll has not met yet; None while nobody polls."""

    def notify(self, *topics: str) -> None:
        for topic in topics:
            for event in self._waiting.get(topic, ()):
                event.set()

    def wrote(self, seqs: Iterable[int]) -> None:
        """Events that this process has committed and told of: the poll need not tell again."""
        if self._own is not None:
            self._own.update(seqs)

    @contextlib.contextmanager
    def listening(self, topic: str) -> Iterator[asyncio.Event]:
        """An event that is set by ``notify(topic)``; clear it *before* reading, then wait."""
        event = asyncio.Event()
        self._waiting[topic].add(event)
        try:
            yield event
        finally:
            self._waiting[topic].discard(event)
            if not self._waiting[topic]:
                del self._waiting[topic]

    async def watch(self, database: Database) -> None:
        """Runs for ever: turns other workers' changes into wake-ups here."""
        if database.is_sqlite:
            await self._poll(database)
        else:
            await self._listen(database)

    async def _listen(self, database: Database) -> None:
        import psycopg

        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    database.libpq_url, autocommit=True
                ) as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    self.notify(*list(self._waiting))  # what was said before we listened
                    async for notice in connection.notifies():
                        speaker, *topics = notice.payload.split()
                        if speaker != database.speaker:
                            self.notify(*topics)
            except psycopg.Error as error:
                log.warning("cannot hear the other workers, trying again: %s", error)
            await asyncio.sleep(LISTEN_AGAIN_S)

    async def _poll(self, database: Database) -> None:
        self._own = set()
        events, changes = await self._newest(database)
        while True:
            await asyncio.sleep(POLL_S)
            try:
                new_events, new_changes = await self._newest(database)
                if new_events > events:
                    async with database.read() as session:
                        rows = await session.execute(
                            select(Event.seq, Event.conversation_id).where(
                                Event.seq > events, Event.seq <= new_events
                            )
                        )
                    others = {topic for seq, topic in rows if seq not in self._own}
                    if others:
                        self.notify(*others, TURNS)
                    events = new_events
                    self._own = {seq for seq in self._own if seq > events}
                if new_changes > changes:
                    self.notify(STAFF)
                    changes = new_changes
            except Unavailable:
                log.warning("could not look for other workers' changes; trying again")

    @staticmethod
    async def _newest(database: Database) -> tuple[int, int]:
        newest = [select(func.max(of.seq)).scalar_subquery() for of in (Event, StaffChange)]
        async with database.read() as session:
            events, changes = (await session.execute(select(*newest))).one()
        return events or 0, changes or 0


async def wait(event: asyncio.Event, timeout_s: float) -> None:
    """Returns when the event is set or after the time, whichever is first."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), timeout_s)
