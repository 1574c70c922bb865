"""Keys for a command line: database and vault without any model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chatbot.access.keys import Keys
from chatbot.company import load_company
from chatbot.conversations.office import Office
from chatbot.settings import Settings
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
        yield Keys(Office(database, vault, load_company(settings.company), settings))
    finally:
        await database.close()
