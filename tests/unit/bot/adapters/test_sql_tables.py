from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql

from bot.adapters.sql_tables import UtcDateTime, storable

DIALECT = postgresql.dialect()


@given(st.text(alphabet=st.characters() | st.sampled_from("\x00\ud800\udfff")))
def test_storable_text_can_be_stored_and_keeps_its_length(value: str) -> None:
    stored = storable(value)
    assert "\x00" not in stored
    assert len(stored.encode().decode()) == len(value)
    assert storable(stored) == stored


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00")))
def test_ordinary_text_is_kept(value: str) -> None:
    assert storable(value) == value


def test_moments_are_stored_in_utc() -> None:
    noon = datetime(2024, 5, 17, 12, 0, tzinfo=timezone(timedelta(hours=8)))
    stored = UtcDateTime().process_bind_param(noon, DIALECT)
    assert stored is not None
    assert (stored, stored.tzinfo) == (noon, UTC)


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(datetime(2024, 5, 17, 4, 0), id="naive, as SQLite gives it"),  # noqa: DTZ001
        pytest.param(datetime(2024, 5, 17, 12, 0, tzinfo=timezone(timedelta(hours=8))), id="in the server's zone"),
    ],
)
def test_moments_come_back_aware_in_utc(read: datetime) -> None:
    moment = UtcDateTime().process_result_value(read, DIALECT)
    assert moment is not None
    assert (moment, moment.tzinfo) == (datetime(2024, 5, 17, 4, 0, tzinfo=UTC), UTC)


def test_a_moment_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="give it a time zone"):
        UtcDateTime().process_bind_param(datetime(2024, 5, 17), DIALECT)  # noqa: DTZ001
