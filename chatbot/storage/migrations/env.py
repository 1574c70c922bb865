"""Alembic's entry: runs on the connection that ``chatbot.storage.migrate`` hands over."""

from __future__ import annotations

from alembic import context

from chatbot.storage.tables import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,  # a start that is killed half way leaves the schema as it was
)
with context.begin_transaction():
    context.run_migrations()
