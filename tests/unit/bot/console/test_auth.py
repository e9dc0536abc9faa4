from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.console import auth
from bot.console.auth import SESSION_LIFE, Sessions, TooManyTriesError, hash_password, same_secret, verify_password
from bot.domain.log_ports import ConversationLog
from bot.domain.ports import LiveState
from bot.domain.records import Agent
from bot.errors import InputError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PASSWORD = "correct horse battery"


class FakeClock:
    def now(self) -> datetime:
        return NOW


@dataclass
class FakeLog:
    agent: Agent
    sessions: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    seen: int = 0

    def agent_by_name(self, name: str) -> Agent | None:
        return self.agent if name == self.agent.name else None

    def open_session(self, agent: int, token_hash: str, expires: datetime) -> None:
        self.sessions[token_hash] = (agent, expires)

    def session_agent(self, token_hash: str) -> Agent | None:
        return self.agent if token_hash in self.sessions else None

    def see_agent(self, agent: int) -> None:
        self.seen += 1

    def close_session(self, token_hash: str) -> None:
        self.sessions.pop(token_hash, None)

    def audit(self, who: str, action: str, detail: str) -> None:
        pass


@dataclass
class FakeState:
    uses: dict[str, int] = field(default_factory=dict)

    def allow(self, key: str, limit: int, seconds: int) -> bool:
        assert seconds == 60
        self.uses[key] = self.uses.get(key, 0) + 1
        return self.uses[key] <= limit


@pytest.fixture(scope="module")
def password_hash() -> str:
    return hash_password(PASSWORD)


@pytest.fixture
def log(password_hash: str) -> FakeLog:
    return FakeLog(Agent(1, "mei", "agent", password_hash))


@pytest.fixture
def sessions(log: FakeLog) -> Sessions:
    return _sessions(log, "k" * 32)


def _sessions(log: FakeLog, key: str) -> Sessions:
    return Sessions(
        log=cast("ConversationLog", log), state=cast("LiveState", FakeState()), clock=FakeClock(), secret_key=key
    )


def test_a_password_is_hashed_with_argon2_and_verified(password_hash: str) -> None:
    assert password_hash.startswith("$argon2id$")
    assert verify_password(PASSWORD, password_hash)
    assert not verify_password(PASSWORD + "!", password_hash)


@pytest.mark.parametrize("length", [0, 9, 1025])
def test_a_password_of_the_wrong_length_is_refused(length: int) -> None:
    with pytest.raises(InputError, match=f"this one has {length}"):
        hash_password("x" * length)


def test_an_unreadable_hash_matches_nothing() -> None:
    assert not verify_password(PASSWORD, "plain text")


@pytest.mark.parametrize(("seconds", "noted"), [(None, 1), (14, 0), (15, 1)])
def test_who_asks_for_a_page_is_noted_now_and_then(
    sessions: Sessions, log: FakeLog, seconds: int | None, noted: int
) -> None:
    token = sessions.log_in("mei", PASSWORD, "10.0.0.1") or ""
    log.agent = replace(log.agent, seen_at=None if seconds is None else NOW - timedelta(seconds=seconds))
    sessions.find(token)
    sessions.find("other")
    assert log.seen == noted


def test_only_the_hash_of_the_token_is_stored_for_twelve_hours(sessions: Sessions, log: FakeLog) -> None:
    token = sessions.log_in("mei", PASSWORD, "10.0.0.1")
    assert token is not None
    assert len(token) >= 43
    assert log.sessions == {hashlib.sha256(token.encode()).hexdigest(): (1, NOW + SESSION_LIFE)}
    assert timedelta(hours=12) == SESSION_LIFE


@pytest.mark.parametrize(
    ("name", "password", "active"),
    [("mei", "wrong password", True), ("nobody", PASSWORD, True), ("mei", PASSWORD, False), ("", "", True)],
    ids=["wrong password", "unknown name", "switched off", "empty"],
)
def test_a_wrong_login_opens_nothing(sessions: Sessions, log: FakeLog, name: str, password: str, active: bool) -> None:
    log.agent = replace(log.agent, active=active)
    assert sessions.log_in(name, password, "10.0.0.1") is None
    assert log.sessions == {}


def test_an_unknown_name_costs_as_much_as_a_wrong_password(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    verified: list[str] = []
    monkeypatch.setattr(auth, "verify_password", lambda _, hashed: bool(verified.append(hashed)))
    sessions.log_in("nobody", PASSWORD, "10.0.0.1")
    sessions.log_in("mei", PASSWORD, "10.0.0.1")
    parameters = [hashed.split("$")[1:4] for hashed in verified]
    assert len(verified) == 2
    assert parameters[0] == parameters[1]


def test_the_sixth_try_in_a_minute_is_refused_even_with_the_right_password(sessions: Sessions) -> None:
    for _ in range(5):
        sessions.log_in("mei", "wrong password", "10.0.0.1")
    with pytest.raises(TooManyTriesError):
        sessions.log_in("MEI", PASSWORD, "10.0.0.1")
    assert sessions.log_in("mei", PASSWORD, "10.0.0.2") is not None


def test_an_address_has_thirty_tries_a_minute_for_all_names(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "verify_password", lambda *_: True)
    for number in range(30):
        sessions.log_in(f"guess-{number}", PASSWORD, "10.0.0.1")
    with pytest.raises(TooManyTriesError):
        sessions.log_in("mei", PASSWORD, "10.0.0.1")
    assert sessions.log_in("mei", PASSWORD, "10.0.0.2") is not None


def test_refused_tries_for_one_name_do_not_count_against_others(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "verify_password", lambda *_: True)
    for _ in range(40):
        with contextlib.suppress(TooManyTriesError):
            sessions.log_in("tom", PASSWORD, "10.0.0.1")
    assert sessions.log_in("mei", PASSWORD, "10.0.0.1") is not None


def test_a_session_is_found_until_it_is_ended(sessions: Sessions) -> None:
    token = sessions.log_in("mei", PASSWORD, "10.0.0.1")
    assert token is not None
    session = sessions.find(token)
    assert session is not None
    assert session.agent.name == "mei"
    sessions.log_out(session)
    assert sessions.find(token) is None


@pytest.mark.parametrize("token", ["", "x", "é"])
def test_a_made_up_token_finds_nothing(sessions: Sessions, token: str) -> None:
    assert sessions.find(token) is None


def test_csrf_tokens_differ_by_session_by_purpose_and_by_key(sessions: Sessions, log: FakeLog) -> None:
    tokens = [sessions.log_in("mei", PASSWORD, "10.0.0.1") or "" for _ in range(2)]
    seals = [session.csrf for token in tokens if (session := sessions.find(token))]
    other = _sessions(log, "other" * 8).find(tokens[0])
    assert other is not None
    assert len({*seals, other.csrf, sessions.visit_csrf(tokens[0])}) == 4


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))
def test_secrets_are_the_same_only_when_equal(one: str, other: str) -> None:
    assert same_secret(one, other) == (one == other)
