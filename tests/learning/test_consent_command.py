"""What a customer says to the team about training is recorded in the terminal."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chatbot.__main__ import app
from chatbot.storage.tables import Conversation
from tests.support.databases import UrlOf
from tests.support.office import SECRET, open_house


def test_an_operator_records_that_a_customer_refuses(
    tmp_path: Path, database: UrlOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHATBOT_SECRET_KEY", SECRET)
    monkeypatch.setenv("CHATBOT_DATABASE_URL", database(tmp_path))

    async def begun() -> tuple[str, str]:
        async with open_house(tmp_path) as house:
            known, other = await house.start(), await house.start()
            await house.conversations.save_contact(known, {"email": "Ann@shop.example"})
            return known, other

    async def said() -> dict[str, bool | None]:
        async with open_house(tmp_path) as house, house.office.read() as rows:
            return {
                name: (await rows.session.get_one(Conversation, name)).training_consent
                for name in (known, other)
            }

    def told(*words: str) -> str:
        result = CliRunner().invoke(app, ["consent", *words, "--data-dir", str(tmp_path)])
        return result.output if result.exit_code == 0 else f"failed: {result.exception!r}"

    known, other = asyncio.run(begun())
    assert told("--refuse", "--customer", "ann@shop.example") == f"{known}: is not learnt from\n"
    assert asyncio.run(said()) == {known: False, other: None}
    assert told("--give", "--conversation", other) == f"{other}: may be learnt from\n"
    assert asyncio.run(said()) == {known: False, other: True}
    assert "either --conversation" in told("--refuse")
