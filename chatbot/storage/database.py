"""One database, SQLite in WAL mode or PostgreSQL, with short write transactions.

SQLite: a writer begins with ``BEGIN IMMEDIATE``; a transaction that reads first and upgrades
later fails at once under load (https://www.sqlite.org/lang_transaction.html).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, event, func, make_url, select, text
from sqlalchemy.exc import ArgumentError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from chatbot.errors import SetupError, Unavailable

BUSY_TIMEOUT_MS = 10_000  # a writer waits this long for another; writes here take milliseconds
CHANNEL = "deskgate"  # of LISTEN and NOTIFY
_READ_ONLY = "deskgate_read_only"
_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "sqlite": "sqlite+aiosqlite",
}


def driver_url(url: str) -> str:
    """The URL with the driver that is used here, so that ``postgresql://…`` is enough."""
    scheme, separator, rest = url.partition("://")
    return f"{_DRIVERS.get(scheme, scheme)}{separator}{rest}"


async def exclusive(session: AsyncSession, name: str) -> None:
    """Waits for other transactions that hold ``name``; let go at the commit. SQLite needs
    none: there is one writer at a time."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(select(func.pg_advisory_xact_lock(func.hashtext(name))))


class Database:
    """``async with database.write() as session`` commits at the end of the block."""

    def __init__(self, url: str) -> None:
        self.url = url = driver_url(url)
        self.is_sqlite = url.startswith("sqlite")
        try:
            options: dict[str, Any] = {} if self.is_sqlite else {"pool_size": 10}
            self._engine = create_async_engine(url, pool_pre_ping=not self.is_sqlite, **options)
        except (ArgumentError, ImportError) as error:
            raise SetupError(f"CHATBOT_DATABASE_URL cannot be used: {error}") from None
        if self.is_sqlite:
            event.listen(self._engine.sync_engine, "connect", _on_connect)
            event.listen(self._engine.sync_engine, "begin", _on_begin)
        self.speaker = secrets.token_hex(8)
        self._turns = WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock]()
        self._writers = async_sessionmaker(self._engine, expire_on_commit=False)
        self._readers = async_sessionmaker(
            self._engine.execution_options(**{_READ_ONLY: True}), expire_on_commit=False
        )

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A transaction that may write; raises Unavailable when the disk is full or locked."""
        try:
            async with self._turn(), self._writers() as session, session.begin():
                yield session
        except (OperationalError, InterfaceError, PoolTimeout) as error:
            raise _unavailable(error) from error

    def _turn(self) -> AbstractAsyncContextManager[Any]:
        """SQLite has one writer at a time: here they queue in order. Its own waiting polls, is
        not fair, and is left to other processes."""
        if not self.is_sqlite:
            return nullcontext()
        return self._turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A consistent view; nothing is ever written here."""
        try:
            async with self._readers() as session, session.begin():
                yield session
        except (OperationalError, InterfaceError, PoolTimeout) as error:
            raise _unavailable(error) from error

    async def announce(self, session: AsyncSession, *topics: str) -> None:
        """Wakes the other workers when this transaction commits (PostgreSQL's NOTIFY). The
        first word says who speaks."""
        if topics and not self.is_sqlite:
            words = " ".join((self.speaker, *topics))
            await session.execute(select(func.pg_notify(CHANNEL, words)))

    @property
    def libpq_url(self) -> str:
        """As psycopg itself takes it, for a connection that listens."""
        plain = make_url(self.url).set(drivername="postgresql")
        return plain.render_as_string(hide_password=False)

    async def truncate_log(self) -> None:
        """SQLite: copies the write-ahead log home and empties it, so that nothing that was
        erased lingers there. Left for the next time while somebody reads."""
        if self.is_sqlite:
            async with self._engine.connect() as connection:
                raw = await connection.get_raw_connection()
                driver: Any = raw.driver_connection  # a checkpoint is no transaction
                await (await driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")).close()

    async def ping(self) -> None:
        async with self.read() as session:
            await session.execute(text("SELECT 1"))

    async def close(self) -> None:
        await self._engine.dispose()


def _unavailable(error: Exception) -> Unavailable:
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    cause = lines[0] if lines else type(error).__name__
    return Unavailable(f"the database did not take the change: {cause}; nothing was lost, retry")


def _on_connect(connection: Any, _record: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # transactions are begun by _on_begin alone
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")  # a 202 survives a power cut, not only a kill
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA secure_delete=ON")  # what is erased is overwritten in the file
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    cursor.close()


def _on_begin(connection: Connection) -> None:
    read_only = connection.get_execution_options().get(_READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
