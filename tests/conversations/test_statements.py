"""What a turn asks of the database costs the same after a year of conversations."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import event

from tests.support.databases import sqlite_url
from tests.support.office import open_house

GROWING = ("events", "turns", "conversations", "audit", "messages", "review_items")


async def test_no_statement_of_a_turn_reads_a_whole_table(tmp_path: Path) -> None:
    asked: dict[str, Any] = {}
    async with open_house(tmp_path, database_url=sqlite_url(tmp_path)) as house:
        engine = house.office.database._engine.sync_engine

        @event.listens_for(engine, "before_cursor_execute")
        def _(_connection: Any, _cursor: Any, text: str, values: Any, *_more: Any) -> None:
            asked[text] = values

        for question in ("how long can I return it", "review my ruined trip"):
            conversation = await house.start()
            await house.say(conversation, question)
            async with house.office.read() as rows:
                await rows.events_after(conversation, 0)
                await rows.is_active(conversation)
        await house.upkeep.once()
    assert any("FROM events" in text for text in asked)
    database = sqlite3.connect(tmp_path / "chatbot.db")
    scanned = [
        (step[3], text)
        for text, values in asked.items()
        if re.match(r"SELECT|UPDATE", text)
        for step in database.execute(f"EXPLAIN QUERY PLAN {text}", values)
        if re.match(rf"SCAN (?:{'|'.join(GROWING)})\b(?! USING)", step[3])
    ]
    assert scanned == []
