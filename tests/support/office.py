"""A real office on a real SQLite database in a temporary folder, with a clock to set."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatbot.access.keys import Keys, Staff
from chatbot.conversations.ledger import TurnLedger
from chatbot.conversations.office import Office
from chatbot.conversations.runner import TurnRunner
from chatbot.conversations.service import ConversationService
from chatbot.conversations.staff import StaffService
from chatbot.conversations.upkeep import Upkeep
from chatbot.review.service import ReviewService
from chatbot.settings import load_settings
from chatbot.storage.crypto import Vault
from chatbot.storage.database import Database
from chatbot.storage.migrate import migrate
from tests.support.databases import sqlite_url
from tests.support.desk import ScriptedDesk

url_of = sqlite_url
"""Data directory -> database; the fixture ``database`` sets PostgreSQL in its place."""
SECRET = "a secret of at least thirty-two bytes for tests"


class Clock:
    def __init__(self, now: float = 1_790_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class House:
    """Everything a story needs, wired as the server wires it."""

    office: Office
    desk: ScriptedDesk
    clock: Clock
    conversations: ConversationService
    staff: StaffService
    review: ReviewService
    runner: TurnRunner
    keys: Keys
    upkeep: Upkeep

    async def start(self) -> str:
        return (await self.conversations.start(None, None, None)).conversation_id

    async def run_turns(self) -> int:
        """Runs every claimable turn to its end, one after another."""
        count = 0
        while (claimed := await self.runner.ledger.claim()) is not None:
            await self.runner._one(claimed)
            count += 1
        return count

    async def say(self, conversation_id: str, text: str, key: str | None = None) -> None:
        await self.conversations.accept(conversation_id, text, key)
        await self.run_turns()

    async def events(self, conversation_id: str) -> list[tuple[int, str, dict[str, Any]]]:
        async with self.office.read() as rows:
            return await rows.events_after(conversation_id, 0)

    async def kinds(self, conversation_id: str) -> list[str]:
        return [kind for _, kind, _ in await self.events(conversation_id)]

    async def on_duty(self, name: str = "Robin", role: str = "admin") -> Staff:
        _, key = await self.keys.create(role, name)
        staff = await self.keys.recognise(key)
        await self.staff.beat(staff)
        return staff

    async def open_items(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.review.listed("open", 100, 0, ""))["items"]
        return found


@asynccontextmanager
async def open_house(
    data_dir: Path,
    desk: ScriptedDesk | None = None,
    *,
    database_url: str | None = None,
    clock: Clock | None = None,
    **settings: Any,
) -> AsyncIterator[House]:
    loaded = load_settings(
        {}, data_dir=data_dir, database_url=database_url or url_of(data_dir), **settings
    )
    desk = desk or ScriptedDesk()
    clock = clock or Clock()
    migrate(loaded.resolved_database_url, data_dir)
    office = Office(
        Database(loaded.resolved_database_url),
        Vault(SECRET.encode()),
        desk.company,
        loaded,
        clock=clock,
    )
    conversations = ConversationService(office)
    try:
        yield House(
            office=office,
            desk=desk,
            clock=clock,
            conversations=conversations,
            staff=StaffService(office, desk.gate.check_person),
            review=ReviewService(office, desk.gate.check_person, desk.supporting),
            runner=TurnRunner(office, desk),
            keys=Keys(office),
            upkeep=Upkeep(office, conversations),
        )
    finally:
        await desk.close()
        await office.database.close()


__all__ = ["SECRET", "Clock", "House", "TurnLedger", "open_house"]
