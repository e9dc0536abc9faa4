"""Brings a database's tables up to date."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL

from bot.adapters.sql_engine import create_log_engine, describe, outage, parse_url, reporting_outage
from bot.errors import LogUnavailableError, SettingsError

_MIGRATION_WAIT = 120.0
_ADVISORY_LOCK = 0x46524F4E54
_ONE_THREAD = threading.Lock()


def upgrade_schema(url: str) -> None:
    """Creates the database file's folder if needed and runs the migrations that are missing, all or none.

    Safe when several processes and threads start together: the first one works, the others wait and find it done.

    Args:
        url: the database's address.

    Raises:
        SettingsError: the address is wrong, or a newer Frontdesk wrote this database.
    """
    parsed = parse_url(url)
    engine = create_log_engine(parsed)
    try:
        with _ONE_THREAD, _alone_with_file(parsed), reporting_outage(parsed), engine.begin() as connection:
            _run_migrations(connection)
    except CommandError as error:
        raise SettingsError(
            f"the tables in {describe(parsed)} are not known to this version of Frontdesk ({error}): "
            "a newer version made them; install that version, or set FRONTDESK_DATABASE_URL to another database"
        ) from error
    finally:
        engine.dispose()


def migration_config(connection: Connection) -> Config:
    """The Alembic configuration for a connection that is inside a transaction."""
    config = Config()
    config.set_main_option("script_location", "bot.adapters:migrations")
    config.attributes["connection"] = connection
    return config


def _run_migrations(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET LOCAL lock_timeout = {round(_MIGRATION_WAIT * 1000)}"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
    command.upgrade(migration_config(connection), "head")


@contextmanager
def _alone_with_file(url: URL) -> Iterator[None]:
    if url.get_backend_name() != "sqlite":
        yield
        return
    path = Path(url.database or "")
    lock = filelock.FileLock(f"{path}.lock", timeout=_MIGRATION_WAIT)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:  # filelock's Timeout is one as well
        raise LogUnavailableError(outage(url, str(error))) from error
    try:
        yield
    finally:
        lock.release()
