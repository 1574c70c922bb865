"""One database, SQLite in WAL mode or PostgreSQL, with short write transactions.

SQLite: a writer begins with ``BEGIN IMMEDIATE``; a transaction that reads first and upgrades
later fails at once under load (https://www.sqlite.org/lang_transaction.html).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Connection, event, text
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from chatbot.errors import SetupError, Unavailable

BUSY_TIMEOUT_MS = 10_000  # a writer waits this long for another; writes here take milliseconds
_READ_ONLY = "deskgate_read_only"


class Database:
    """``async with database.write() as session`` commits at the end of the block."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        try:
            options: dict[str, Any] = {} if self.is_sqlite else {"pool_size": 10}
            self._engine = create_async_engine(url, pool_pre_ping=not self.is_sqlite, **options)
        except (ArgumentError, ImportError) as error:
            raise SetupError(f"CHATBOT_DATABASE_URL cannot be used: {error}") from None
        if self.is_sqlite:
            event.listen(self._engine.sync_engine, "connect", _on_connect)
            event.listen(self._engine.sync_engine, "begin", _on_begin)
        self._writers = async_sessionmaker(self._engine, expire_on_commit=False)
        self._readers = async_sessionmaker(
            self._engine.execution_options(**{_READ_ONLY: True}), expire_on_commit=False
        )

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A transaction that may write; raises Unavailable when the disk is full or locked."""
        try:
            async with self._writers() as session, session.begin():
                yield session
        except OperationalError as error:
            raise _unavailable(error) from error

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A consistent view; nothing is ever written here."""
        try:
            async with self._readers() as session, session.begin():
                yield session
        except OperationalError as error:
            raise _unavailable(error) from error

    async def ping(self) -> None:
        async with self.read() as session:
            await session.execute(text("SELECT 1"))

    async def close(self) -> None:
        await self._engine.dispose()


def _unavailable(error: DBAPIError) -> Unavailable:
    cause = str(error.orig).strip().splitlines()[0]
    return Unavailable(f"the database did not take the change: {cause}; nothing was lost, retry")


def _on_connect(connection: Any, _record: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # transactions are begun by _on_begin alone
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")  # a 202 survives a power cut, not only a kill
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    cursor.close()


def _on_begin(connection: Connection) -> None:
    read_only = connection.get_execution_options().get(_READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
