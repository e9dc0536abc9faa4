from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from redis import Redis

from bot.adapters.redis_state import RedisState
from bot.domain.ports import LiveState
from bot.errors import SettingsError, StateUnavailableError
from tests.integration.redis_servers import FULL, DebianRedis, measured, wait_until


@pytest.fixture
def own_redis() -> Iterator[DebianRedis]:
    """A server that a test may stop and start as it likes."""
    server = DebianRedis()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def state(own_redis: DebianRedis) -> Iterator[RedisState]:
    with closing(RedisState(own_redis.url, 60, lock_wait=2.0, lock_lease=1.0)) as opened:
        yield opened


def enter_lock(state: LiveState) -> None:
    with state.lock("a"):
        pass


CALLS: dict[str, Callable[[LiveState], object]] = {
    "ping": lambda state: state.ping(),
    "load": lambda state: state.load("a"),
    "save": lambda state: state.save(FULL),
    "forget": lambda state: state.forget("a"),
    "allow": lambda state: state.allow("a", 1, 1),
    "publish": lambda state: state.publish("a", "b"),
    "lock": enter_lock,
}


def test_a_stopped_redis_is_named_at_once_and_used_again_when_it_is_back(
    own_redis: DebianRedis, state: RedisState
) -> None:
    for call in CALLS.values():
        call(state)
    own_redis.stop()
    for call in CALLS.values():
        with (
            measured(at_most=3),
            pytest.raises(StateUnavailableError, match=rf"127\.0\.0\.1:{own_redis.port}.*Start it"),
        ):
            call(state)
    own_redis.start()
    for call in CALLS.values():
        call(state)
    assert state.load(FULL.id) == FULL


def test_a_connection_dropped_in_the_middle_of_a_command_is_not_noticed(
    own_redis: DebianRedis, state: RedisState
) -> None:
    state.ping()
    with closing(Redis.from_url(own_redis.url)) as admin, ThreadPoolExecutor(1) as pool:
        admin.client_pause(10_000, all=False)
        saved = pool.submit(state.save, FULL)
        wait_until(lambda: admin.info("clients")["blocked_clients"])
        admin.client_kill_filter(_type="normal", skipme=True)
        admin.client_unpause()
        saved.result()
    assert state.load(FULL.id) == FULL


@pytest.mark.parametrize(
    ("command", "remedy"),
    [
        pytest.param("CONFIG SET maxmemory 1", "raise its maxmemory", id="memory full"),
        pytest.param("REPLICAOF 127.0.0.1 1", "at the primary", id="read only"),
    ],
)
def test_a_refusal_says_how_to_mend_it(own_redis: DebianRedis, state: RedisState, command: str, remedy: str) -> None:
    with closing(Redis.from_url(own_redis.url)) as admin:
        admin.execute_command(*command.split())
    for call in ("save", "allow", "lock"):
        with pytest.raises(StateUnavailableError, match=rf"127\.0\.0\.1:{own_redis.port}.*{remedy}"):
            CALLS[call](state)


def test_a_wrong_password_is_refused_and_never_shown() -> None:
    server = DebianRedis(password="right-one")
    server.start()
    wrong, right = RedisState(server.url.replace("right-one", "s3cret"), 60), RedisState(server.url, 60)
    with pytest.raises(StateUnavailableError, match="password in FRONTDESK_REDIS_URL") as caught:
        wrong.ping()
    right.ping()
    for closable in (wrong, right):
        closable.close()
    server.stop()
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("url", ["localhost:6379", "http://:s3cret@localhost", "redis://:s3cret/x@localhost", ""])
def test_a_url_that_is_none_of_redis_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="FRONTDESK_REDIS_URL should look like redis://") as caught:
        RedisState(url, 60)
    assert "s3cret" not in str(caught.value)


def test_a_state_that_cannot_be_read_counts_as_none(own_redis: DebianRedis, state: RedisState) -> None:
    with closing(Redis.from_url(own_redis.url)) as admin:
        for document in ("{", "[]", "{}", '{"id": "a", "status": "asleep"}', '{"id": "a", "form": 3}'):
            admin.set("frontdesk:state:a", document)
            assert state.load("a") is None


def test_listening_goes_on_after_a_restart(own_redis: DebianRedis, state: RedisState) -> None:
    news = state.listen(["t"], 10)
    state.publish("t", "before")
    assert next(news) == ("t", "before")
    own_redis.stop()
    with ThreadPoolExecutor(1) as pool:
        heard = pool.submit(next, news)
        time.sleep(0.5)
        own_redis.start()
        with closing(Redis.from_url(own_redis.url)) as admin:
            wait_until(lambda: admin.publish("frontdesk:topic:t", "after"))
        assert heard.result() == ("t", "after")
    news.close()  # type: ignore[attr-defined]


def test_listening_to_a_redis_that_is_away_ends_quietly(own_redis: DebianRedis, state: RedisState) -> None:
    own_redis.stop()
    with measured(at_most=3):
        assert list(state.listen(["t"], 0.5)) == []


def test_a_lock_that_redis_forgot_is_taken_again(own_redis: DebianRedis, state: RedisState) -> None:
    with closing(RedisState(own_redis.url, 60, lock_wait=1.5)) as other, state.lock("a"):
        own_redis.stop()
        own_redis.start()
        with closing(Redis.from_url(own_redis.url)) as admin:
            wait_until(lambda: admin.exists("frontdesk:lock:{a}"))
        with pytest.raises(StateUnavailableError), other.lock("a"):
            pass


def test_a_lock_is_given_back_after_redis_was_away(own_redis: DebianRedis) -> None:
    with (
        closing(RedisState(own_redis.url, 60, lock_lease=20)) as state,
        closing(Redis.from_url(own_redis.url)) as admin,
    ):
        with state.lock("a"):
            token = admin.get("frontdesk:lock:{a}")
            own_redis.stop()
        own_redis.start()
        admin.set("frontdesk:lock:{a}", token)
        wait_until(lambda: not admin.exists("frontdesk:lock:{a}"), seconds=3)
