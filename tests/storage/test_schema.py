"""The schema: the same on both databases, and it refuses what the state machine has not."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from chatbot.storage.migrate import alembic_config, migrate, sync_engine
from chatbot.storage.states import IllegalMove, check_move
from chatbot.storage.tables import Base, Conversation, Message, ReviewItem, Turn
from tests.support.databases import UrlOf
from tests.support.office import open_house


def test_migrations_lead_to_the_declared_tables(tmp_path: Path, database: UrlOf) -> None:
    migrate(database(tmp_path), tmp_path)
    with sync_engine(database(tmp_path)).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


async def test_an_upgrade_and_a_downgrade_keep_what_is_stored(
    tmp_path: Path, database: UrlOf
) -> None:
    async with open_house(tmp_path) as house:
        await house.on_duty()
        conversation = await house.start()
        await house.say(conversation, "review this")
    config = alembic_config()
    for revision, move in (("0001", command.downgrade), ("head", command.upgrade)):
        with sync_engine(database(tmp_path)).begin() as connection:
            config.attributes["connection"] = connection
            move(config, revision)
    async with open_house(tmp_path) as house:
        assert await house.kinds(conversation) == ["received", "held"]
        assert (await house.open_items())[0]["question"] == "review this"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE messages SET position = NULL WHERE author_kind = 'customer'",
        "UPDATE messages SET state = 'sent'",
        "UPDATE review_items SET state = 'resolved'",
        "UPDATE review_items SET holder_id = 'somebody'",
        "UPDATE turns SET state = 'running', finished_at = 1",
        "UPDATE conversations SET state = 'person'",
        "UPDATE conversations SET state = 'waiting', waiting_since = NULL",
        "UPDATE conversations SET assignee_id = 'somebody'",
        "UPDATE review_items SET assignee_id = 'somebody'",
        "UPDATE events SET position = 1",
    ],
)
async def test_the_database_refuses_what_no_state_machine_has(
    tmp_path: Path, statement: str
) -> None:
    async with open_house(tmp_path) as house:
        await house.on_duty()
        await house.say(await house.start(), "review this")
        with pytest.raises(IntegrityError):
            async with house.office.database.write() as session:
                await session.execute(text(statement))


@pytest.mark.parametrize(
    ("table", "before", "after"),
    [
        (Message, "delivered", "held"),
        (Message, "withdrawn", "released"),
        (ReviewItem, "resolved", "open"),
        (Turn, "done", "running"),
        (Conversation, "waiting", "bot"),
    ],
)
def test_a_move_that_is_not_drawn_is_refused(table: type, before: str, after: str) -> None:
    with pytest.raises(IllegalMove, match=f"from {before} to {after}"):
        check_move(table, before, after)


async def test_an_assignment_anywhere_passes_the_state_machine(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        conversation = await house.start()
        await house.say(conversation, "How long?")
        with pytest.raises(IllegalMove):
            async with house.office.write() as rows:
                message = (await rows.messages(conversation))[0]
                message.state = "held"
