"""One PostgreSQL for the whole run, started when the first test asks for it."""

from tests.support.databases import database, postgres

__all__ = ["database", "postgres"]
