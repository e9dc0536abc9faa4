"""Migrations: from empty to the models' tables, by any number of processes at once."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from bot.adapters.sql_engine import create_log_engine, parse_url
from bot.adapters.sql_schema import migration_config, upgrade_schema
from bot.adapters.sql_tables import METADATA
from bot.errors import SettingsError

OPEN = """
import sys
from datetime import UTC, datetime
from bot.adapters.sql_log import open_log

class Now:
    def now(self):
        return datetime.now(UTC)

print("ready", flush=True)
sys.stdin.readline()
log = open_log(sys.argv[1], Now())
log.ping()
log.close()
"""


def test_migrations_make_the_tables_of_the_models(empty_url: str) -> None:
    upgrade_schema(empty_url)
    upgrade_schema(empty_url)
    engine = create_log_engine(parse_url(empty_url))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    engine.dispose()


def test_migrations_can_be_undone_and_done_again(empty_url: str) -> None:
    upgrade_schema(empty_url)
    engine = create_log_engine(parse_url(empty_url))
    with engine.begin() as connection:
        command.downgrade(migration_config(connection), "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    upgrade_schema(empty_url)
    assert set(METADATA.tables) < set(inspect(engine).get_table_names())
    engine.dispose()


def test_two_processes_open_an_empty_database_together(empty_url: str) -> None:
    openers = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", OPEN, empty_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for opener in openers:
        assert opener.stdout is not None
        assert opener.stdout.readline() == "ready\n"
    for opener in openers:
        assert opener.stdin is not None
        opener.stdin.write("go\n")
        opener.stdin.flush()
    for opener in openers:
        _, complaints = opener.communicate(timeout=120)
        assert (opener.returncode, complaints) == (0, "")


def test_four_threads_open_an_empty_database_together(empty_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(upgrade_schema, [empty_url] * 4)) == [None] * 4


def test_tables_of_a_newer_version_are_refused(empty_url: str) -> None:
    upgrade_schema(empty_url)
    engine = create_log_engine(parse_url(empty_url))
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(SettingsError, match="a newer version made them"):
        upgrade_schema(empty_url)
