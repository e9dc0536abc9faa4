"""Runs the migrations on the connection, and in the transaction, that `bot.adapters.sql_schema` hands over."""

from __future__ import annotations

from alembic import context

from bot.adapters.sql_tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
