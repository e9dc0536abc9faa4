from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from bot.adapters.sql_engine import create_log_engine, outage, parse_url
from bot.errors import SettingsError


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("sqlite:///var/log.db", "sqlite"),
        ("sqlite+pysqlite:////srv/log.db", "sqlite"),
        ("postgresql://me@host/db", "postgresql+psycopg"),
        ("postgresql+psycopg://me@host/db", "postgresql+psycopg"),
        ("postgresql+psycopg2://me@host/db", "postgresql+psycopg"),
    ],
)
def test_addresses_get_their_driver(url: str, driver: str) -> None:
    assert parse_url(url).drivername == driver


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        pytest.param("", "cannot be read", id="empty"),
        pytest.param("log.db", "cannot be read", id="path"),
        pytest.param("postgresql://me@host:port/db", "cannot be read", id="port in words"),
        pytest.param("mysql://me:secret@host/db", "mysql://me:\\*\\*\\*@host/db is of an unknown kind", id="mysql"),
        pytest.param("sqlite://", "names no file", id="nowhere"),
        pytest.param("sqlite:///:memory:", "names no file", id="memory"),
    ],
)
def test_wrong_addresses_are_refused(url: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint) as refusal:
        parse_url(url)
    assert "set FRONTDESK_DATABASE_URL" in str(refusal.value)
    assert "secret" not in str(refusal.value)


def test_an_outage_is_told_with_its_remedy_and_without_the_password() -> None:
    told = outage(parse_url("postgresql://me:secret@db.example/shop"), "connection\n  refused")
    assert "(connection refused)" in told
    assert "check that PostgreSQL runs at db.example:5432" in told
    assert "secret" not in told
    assert "check that var/log.db can be written" in outage(parse_url("sqlite:///var/log.db"), "disk full")


def test_sqlite_is_set_to_survive_a_crash(tmp_path: Path) -> None:
    engine = create_log_engine(parse_url(f"sqlite:///{tmp_path}/log.db"))
    with engine.connect() as connection:
        settings = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "secure_delete")
        }
    engine.dispose()
    assert settings == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 10_000,
        "secure_delete": 1,
    }


def test_an_error_holds_nothing_that_a_customer_wrote(tmp_path: Path) -> None:
    engine = create_log_engine(parse_url(f"sqlite:///{tmp_path}/log.db"))
    with engine.connect() as connection, pytest.raises(DBAPIError) as caught:
        connection.execute(text("SELECT no_such_column WHERE 1 = :said"), {"said": "I live in Baker Street"})
    engine.dispose()
    assert "no_such_column" in str(caught.value)
    assert "Baker Street" not in str(caught.value)
