"""Alembic migrations of the log; run by `bot.adapters.sql_schema`."""
