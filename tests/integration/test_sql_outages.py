"""What the log does while its database is away, full, locked or damaged, and after a process was killed."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event, text

from bot.adapters.sql_engine import create_log_engine, parse_url
from bot.adapters.sql_log import SqlLog, open_log
from bot.domain.messages import IncomingMessage
from bot.errors import LogUnavailableError

KILLED_WITHIN_A_TURN = """
import os, sys
from datetime import UTC, datetime
from sqlalchemy import event
from bot.adapters.sql_log import open_log
from bot.domain.conversation import Conversation
from bot.domain.messages import IncomingMessage, Reply
from bot.domain.records import TurnRecord

class Now:
    def now(self):
        return datetime.now(UTC)

log = open_log(sys.argv[1], Now())
message = IncomingMessage("1", "telegram:1", "hello", Now().now())
log.accept(message)

@event.listens_for(log._engine, "commit")
def die(connection):
    os._exit(9)

log.record_turn(TurnRecord(message, Now().now(), (Reply("hi", "en"),), {}, Conversation("telegram:1"), "asked"))
"""


def message(number: int) -> IncomingMessage:
    return IncomingMessage(str(number), "telegram:1", "hello " * 50, datetime(2024, 5, 17, tzinfo=UTC))


def test_postgresql_goes_away_and_comes_back(own_postgres, sql_clock) -> None:
    log = open_log(own_postgres.url, sql_clock)
    assert log.accept(message(1))
    own_postgres.stop()
    for act in (lambda: log.accept(message(2)), lambda: log.next_pending("telegram:1"), log.ping):
        with pytest.raises(LogUnavailableError, match=f"check that PostgreSQL runs at 127.0.0.1:{own_postgres.port}"):
            act()
    with pytest.raises(LogUnavailableError, match="FRONTDESK_DATABASE_URL"):
        open_log(own_postgres.url, sql_clock)
    own_postgres.start()
    log.ping()
    assert log.accept(message(2))
    assert not log.accept(message(1))
    log.close()


def frozen_within_a_transaction(engine: Engine) -> Connection:
    connection = engine.connect()
    connection.execute(text("SELECT id FROM conversation WHERE id = 'telegram:1' FOR UPDATE"))
    return connection


def test_a_row_that_another_process_keeps_is_not_waited_for_for_ever(migrated_postgres_url, sql_clock) -> None:
    engine = create_log_engine(parse_url(migrated_postgres_url), lock_wait=0.5)
    with closing(SqlLog(engine, sql_clock)) as log:
        log.accept(message(1))
        with frozen_within_a_transaction(engine), pytest.raises(LogUnavailableError, match="lock timeout"):
            log.accept(message(2))
        assert log.accept(message(2))
        log.erase_customer("telegram:1")


def test_a_process_that_hangs_within_a_transaction_loses_its_rows(
    migrated_postgres_url, sql_clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(SqlLog(create_log_engine(parse_url(migrated_postgres_url)), sql_clock)) as log:
        log.accept(message(1))
        monkeypatch.setattr("bot.adapters.sql_engine._IDLE_SECONDS", 0.5)
        frozen = create_log_engine(parse_url(migrated_postgres_url))
        with frozen_within_a_transaction(frozen) as connection:
            assert log.accept(message(2))
            connection.invalidate()
        frozen.dispose()
        log.erase_customer("telegram:1")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, sql_clock) -> None:
    blocked = tmp_path / "folder"
    blocked.write_text("a file where a folder should be")
    url = f"sqlite:///{blocked}/log.db"
    with pytest.raises(LogUnavailableError, match=f"check that {blocked}/log.db can be written"):
        open_log(url, sql_clock)
    blocked.unlink()
    log = open_log(url, sql_clock)
    log.ping()
    log.close()


def test_a_damaged_file_is_named(tmp_path: Path, sql_clock) -> None:
    (tmp_path / "log.db").write_bytes(b"not a database " * 100)
    with pytest.raises(LogUnavailableError, match="file is not a database"):
        open_log(f"sqlite:///{tmp_path}/log.db", sql_clock)


def test_a_database_that_another_program_keeps_locked_is_named(tmp_path: Path, sql_clock) -> None:
    url = f"sqlite:///{tmp_path}/log.db"
    open_log(url, sql_clock).close()
    log = SqlLog(create_log_engine(parse_url(url), lock_wait=0.1), sql_clock)
    other = sqlite3.connect(tmp_path / "log.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LogUnavailableError, match="locked"):
        log.accept(message(1))
    assert log.next_pending("telegram:1") is None
    other.execute("ROLLBACK")
    other.close()
    assert log.accept(message(1))
    log.close()


def test_a_full_disk_loses_nothing_that_was_accepted(tmp_path: Path, sql_clock) -> None:
    log = open_log(f"sqlite:///{tmp_path}/log.db", sql_clock)
    engine = log._engine

    def limit(connection, _record) -> None:
        connection.execute("PRAGMA max_page_count=1").close()

    event.listen(engine, "connect", limit)
    engine.dispose()
    stored: list[int] = []

    def fill() -> None:
        for number in range(200):
            log.accept(message(number))
            stored.append(number)

    with pytest.raises(LogUnavailableError, match="disk has room"):
        fill()
    event.remove(engine, "connect", limit)
    engine.dispose()
    assert [log.accept(message(number)) for number in stored] == [False] * len(stored)
    assert log.accept(message(len(stored)))
    log.close()


def test_missing_tables_are_named(empty_url: str, sql_clock) -> None:
    log = open_log(empty_url, sql_clock)
    log.ping()
    with log._engine.begin() as connection:
        connection.execute(text("DROP TABLE feedback"))
    with pytest.raises(LogUnavailableError, match="lacks the tables feedback"):
        log.ping()
    log.close()


def test_a_process_killed_within_a_turn_leaves_the_message_waiting(database_url: str, sql_log: SqlLog) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_WITHIN_A_TURN, database_url], check=False, capture_output=True, timeout=120
    )
    assert killed.returncode == 9, killed.stderr.decode()
    waiting = sql_log.next_pending("telegram:1")
    assert waiting is not None
    assert waiting.text == "hello"
    assert (sql_log.turns("telegram:1"), sql_log.outgoing_since("telegram:1", 0)) == ([], [])
    assert (sql_log.escalations(), sql_log.snapshot("telegram:1")) == ([], None)
