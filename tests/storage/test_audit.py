"""The audit trail: altered, missing and cut-off rows are found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from chatbot.errors import SetupError
from chatbot.storage import audit
from tests.support.office import House, open_house


async def breaks(house: House, heads: dict[str, Any] | None = None) -> list[tuple[str, str]]:
    async with house.office.read() as rows:
        _, found = await audit.verify(rows.session, rows.vault, heads)
    return [(b.chain, b.reason) for b in found]


async def change(house: House, statement: str, **values: Any) -> None:
    async with house.office.database.write() as session:
        await session.execute(text(statement), values)


async def test_rows_cut_off_at_the_end_are_found_by_the_conversation_itself(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path) as house:
        conversation = await house.start()
        await house.say(conversation, "How long?")
        assert await breaks(house) == []
        await change(house, "DELETE FROM audit WHERE chain = :c AND sequence >= 4", c=conversation)
        assert [chain for chain, _ in await breaks(house)] == [conversation]


async def test_a_whole_chain_that_is_gone_is_found(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        conversation = await house.start()
        await change(house, "DELETE FROM audit WHERE chain = :c", c=conversation)
        assert [chain for chain, _ in await breaks(house)] == [conversation]


async def test_exported_heads_find_what_leaves_no_trace_in_the_database(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.keys.create("agent", "Robin")
        await house.keys.create("agent", "Kim")
        async with house.office.read() as rows:
            heads = await audit.export_heads(rows.session, rows.vault, rows.now)
        await house.keys.create("agent", "later")  # growing is no fault
        assert await breaks(house, heads) == []
        await change(house, "DELETE FROM audit WHERE chain = 'system' AND sequence > 1")
        assert await breaks(house) == []
        assert await breaks(house, heads) == [
            ("system", "rows are missing at the end; the export has 2")
        ]
        heads["chains"]["system"] = [1, heads["chains"]["system"][1]]
        with pytest.raises(SetupError, match="altered"):
            await breaks(house, heads)
