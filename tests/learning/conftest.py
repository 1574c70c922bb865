"""Every test of this folder runs on SQLite and on PostgreSQL."""

import pytest


@pytest.fixture(autouse=True)
def _both_databases(database: object) -> None:
    """Asked for by every test here, so that each is parametrised."""
