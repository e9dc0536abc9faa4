"""The durable truth: every message, turn, reply, escalation and correction, in SQLite or PostgreSQL."""

from __future__ import annotations

from sqlalchemy import inspect

from bot.adapters.sql_agents import SqlAgents
from bot.adapters.sql_conversations import SqlConversations
from bot.adapters.sql_engine import create_log_engine, outage, parse_url
from bot.adapters.sql_escalations import SqlEscalations
from bot.adapters.sql_knowledge import SqlKnowledge
from bot.adapters.sql_outbox import SqlOutbox
from bot.adapters.sql_privacy import SqlPrivacy
from bot.adapters.sql_reading import SqlReading
from bot.adapters.sql_schema import upgrade_schema
from bot.adapters.sql_tables import METADATA
from bot.adapters.sql_turns import SqlTurns
from bot.domain.ports import Clock
from bot.errors import LogUnavailableError


class SqlLog(SqlTurns, SqlConversations, SqlReading, SqlOutbox, SqlEscalations, SqlAgents, SqlKnowledge, SqlPrivacy):
    """Implements the port `ConversationLog`; safe to use from many threads and processes at once.

    Every method is one transaction and raises `LogUnavailableError` where the database does not do its work; it can
    be used again as soon as the database is back.
    """

    def ping(self) -> None:
        """Checks that the database answers and its tables are there.

        Raises:
            LogUnavailableError: it does not.
        """
        with self._read() as session:
            missing = set(METADATA.tables) - set(inspect(session.connection()).get_table_names())
        if missing:
            tables = ", ".join(sorted(missing))
            why = f"it lacks the tables {tables}; start Frontdesk anew to create them"
            raise LogUnavailableError(outage(self._engine.url, why))

    def close(self) -> None:
        """Closes all connections."""
        self._stop()
        self._engine.dispose()


def open_log(url: str, clock: Clock) -> SqlLog:
    """Opens the log, its tables created or brought up to date first.

    Args:
        url: `sqlite:///path/to/file.db` (the folder is created where needed) or `postgresql://...`.
        clock: tells the time.

    Returns:
        The log; close it in the end.
    """
    upgrade_schema(url)
    return SqlLog(create_log_engine(parse_url(url)), clock)
