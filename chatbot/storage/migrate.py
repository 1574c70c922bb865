"""Brings a database to the newest schema; run at every start, safe with several workers."""

from __future__ import annotations

import fcntl
import sqlite3
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from chatbot.errors import SetupError
from chatbot.storage.database import driver_url

_ADVISORY_LOCK = 7_305_551  # any constant: one migration at a time on PostgreSQL


def sync_engine(url: str) -> Engine:
    """An engine for schema changes: on SQLite too they are all done or none is. Its connections
    end with their use, also where a change fails."""
    url = driver_url(url).replace("sqlite+aiosqlite", "sqlite")
    engine = create_engine(url, poolclass=NullPool)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _no_implicit_begin)
        event.listen(engine, "begin", _begin)
    return engine


def _no_implicit_begin(connection: Any, _record: object) -> None:
    connection.isolation_level = None


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def migrate(url: str, data_dir: Path) -> None:
    """Upgrades to head. Raises SetupError for an unwritable or unreachable database."""
    config = alembic_config()
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        engine = sync_engine(url)
        with (data_dir / "migrate.lock").open("w") as lock, engine.begin() as connection:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except ImportError as error:
        raise SetupError(
            f"the database {_safe(url)} needs a driver that is not installed ({error.name}); "
            "for PostgreSQL: pip install 'deskgate[postgres]'"
        ) from None
    except (SQLAlchemyError, sqlite3.Error) as error:
        cause = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise SetupError(f"the database {_safe(url)} cannot be opened: {cause}") from None
    except OSError as error:
        raise SetupError(
            f"the data directory {data_dir} cannot be written: {error.strerror}; "
            "set CHATBOT_DATA_DIR to a folder that this user may write"
        ) from None


def _safe(url: str) -> str:
    return url.rsplit("@", maxsplit=1)[-1] if "@" in url else url
