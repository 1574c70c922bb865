"""Keys for a command line: database and vault without any model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chatbot.access.keys import Keys
from chatbot.company import load_company
from chatbot.conversations.office import Office
from chatbot.review.rules import ReviewRules
from chatbot.settings import Settings
from chatbot.storage.clock import shared_clock
from chatbot.storage.crypto import load_vault
from chatbot.storage.database import Database
from chatbot.storage.migrate import migrate


@asynccontextmanager
async def open_keys(settings: Settings) -> AsyncIterator[Keys]:
    migrate(settings.resolved_database_url, settings.data_dir)
    secret = settings.secret_key.get_secret_value() if settings.secret_key else None
    database = Database(settings.resolved_database_url)
    try:
        vault = load_vault(secret, settings.data_dir)
        company = load_company(settings.company)
        rules = ReviewRules(settings, company.texts, settings.company / "review.toml")
        clock = await shared_clock(database)
        yield Keys(Office(database, vault, company, settings, clock=clock, review_rules=rules))
    finally:
        await database.close()
