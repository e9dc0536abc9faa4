from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from multiprocessing.connection import Connection
from typing import Any

import fakeredis
import pytest

from bot.adapters.embedded_redis import open_embedded
from bot.adapters.memory import MemoryState
from bot.adapters.redis_state import RedisState
from bot.adapters.thread_locks import ThreadLocks
from bot.domain.conversation import Conversation, FormState
from bot.domain.ports import LiveState
from bot.errors import BusyError, StateUnavailableError
from tests.integration.redis_servers import FULL, Child, DebianRedis, measured


@pytest.fixture(scope="module")
def debian_url() -> Iterator[str]:
    server = DebianRedis()
    server.start()
    yield server.url
    server.stop()


@pytest.fixture(scope="module")
def embedded_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with closing(open_embedded(tmp_path_factory.mktemp("data"))) as server:
        yield server.url


Open = Callable[..., LiveState]


@pytest.fixture
def open_state(request: pytest.FixtureRequest, backend: str) -> Iterator[Open]:
    """Opens states of one backend that see each other, as those of several processes would."""
    prefix = f"test-{uuid.uuid4().hex}:"
    fake = fakeredis.FakeServer()
    url = "" if backend in {"memory", "fakeredis"} else request.getfixturevalue(f"{backend}_url")
    with ExitStack() as stack:
        memory: list[MemoryState] = []

        def open_one(ttl_seconds: int = 60, lock_wait: float = 5.0, lock_lease: float = 5.0) -> LiveState:
            if backend == "memory":
                memory[:] = memory or [MemoryState(ttl_seconds, lock_wait=lock_wait)]
                return memory[0]
            client: Any = url
            if backend == "fakeredis":
                options = {"decode_responses": True, "encoding_errors": "surrogatepass"}
                client = stack.enter_context(closing(fakeredis.FakeRedis(server=fake, **options)))
            state = RedisState(client, ttl_seconds, lock_wait=lock_wait, lock_lease=lock_lease, prefix=prefix)
            return stack.enter_context(closing(state))

        yield open_one


every_backend = pytest.mark.parametrize("backend", ["memory", "fakeredis", "embedded", "debian"])
every_redis = pytest.mark.parametrize("backend", ["fakeredis", "embedded", "debian"])
every_server = pytest.mark.parametrize("server", ["embedded", "debian"])


# -- the contract


@every_backend
@pytest.mark.parametrize(
    "state",
    [
        pytest.param(FULL, id="everything set"),
        pytest.param(Conversation("web:1"), id="fresh"),
        pytest.param(Conversation("x", form=FormState("order")), id="empty form"),
        pytest.param(Conversation("{a}:* b\n客户\ud800", lang="\udfff"), id="odd characters"),
    ],
)
def test_a_state_comes_back_as_it_was_saved(open_state: Open, state: Conversation) -> None:
    one, other = open_state(), open_state()
    one.save(state)
    assert other.load(state.id) == state


@every_backend
def test_states_are_replaced_and_forgotten_one_by_one(open_state: Open) -> None:
    state = open_state()
    assert state.load("a") is None
    for kept in (Conversation("a", turns=1), Conversation("b"), Conversation("a", turns=2)):
        state.save(kept)
    assert state.load("a") == Conversation("a", turns=2)
    state.forget("a")
    state.forget("never was")
    assert state.load("a") is None
    assert state.load("b") == Conversation("b")


@every_backend
def test_a_saved_state_does_not_change_with_the_object(open_state: Open) -> None:
    state, form = open_state(), FormState("return", slots={"reason": "small"})
    state.save(Conversation("a", form=form))
    form.slots["reason"] = "large"
    loaded = state.load("a")
    assert loaded is not None
    assert loaded.form == FormState("return", slots={"reason": "small"})


@every_backend
def test_a_state_expires_unless_it_is_saved_again(open_state: Open) -> None:
    state = open_state(ttl_seconds=1)
    state.save(Conversation("gone"))
    state.save(Conversation("kept"))
    time.sleep(0.6)
    state.save(Conversation("kept"))
    time.sleep(0.6)
    assert state.load("gone") is None
    assert state.load("kept") == Conversation("kept")


@every_backend
def test_the_lock_lets_one_thread_in_at_a_time(open_state: Open) -> None:
    states, inside, seen = [open_state(lock_wait=20), open_state(lock_wait=20)], [0], []

    def turn(number: int) -> None:
        with states[number % 2].lock("a"):
            inside[0] += 1
            seen.append(inside[0])
            time.sleep(0.002)
            inside[0] -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(turn, range(60)))
    assert seen == [1] * 60


@every_backend
def test_a_held_conversation_is_refused_in_time_and_others_are_free(open_state: Open) -> None:
    holder, other = open_state(lock_wait=0.3), open_state(lock_wait=0.3)

    def try_it(state: LiveState) -> None:
        with measured(at_most=2), pytest.raises(StateUnavailableError, match=r"'a'.* 0\.3 s"), state.lock("a"):
            pass

    with holder.lock("a"), other.lock("b"), ThreadPoolExecutor(1) as pool:
        pool.submit(try_it, holder).result()
        pool.submit(try_it, other).result()
    with measured(at_most=0.3), other.lock("a"):
        pass


@every_backend
def test_the_lock_is_free_after_a_failed_turn(open_state: Open) -> None:
    state = open_state(lock_wait=1)
    with pytest.raises(ZeroDivisionError), state.lock("a"):
        _ = 1 / 0
    with state.lock("a"):
        pass


@every_backend
def test_uses_are_counted_by_key_and_window(open_state: Open) -> None:
    one, other = open_state(), open_state()
    assert [state.allow("k", 3, 1) for state in (one, other, one, other, one)] == [True, True, True, False, False]
    assert one.allow("another", 3, 1)
    time.sleep(1.2)
    assert one.allow("k", 3, 1)


@every_redis
def test_processes_share_a_pace(open_state: Open) -> None:
    one, other = open_state(), open_state()
    waits = [state.book("all", 10.0, 0.0) for state in (one, other, one)]
    assert waits == pytest.approx([0, 10, 20], abs=2)
    assert [state.book("chat", 10.0, 20.0) for state in (one, other, one, other)] == pytest.approx([0, 0, 0, 10], abs=2)
    assert [one.book("soon", 0.2, 0.0), other.book("soon", 0.2, 0.0)] == pytest.approx([0, 0.2], abs=0.15)
    time.sleep(0.6)
    assert one.book("soon", 0.2, 0.0) == 0


@every_backend
def test_news_reach_every_listener_of_their_topic_from_the_call_on(open_state: Open) -> None:
    speaker, listener = open_state(), open_state()
    speaker.publish("turns", "too early")
    both, turns = listener.listen(["turns", "releases"], 0.3), listener.listen(["turns"], 0.3)
    said = [("turns", "1"), ("elsewhere", "2"), ("releases", "三"), ("turns", "4")]
    for topic, payload in said:
        speaker.publish(topic, payload)
    assert list(both) == [("turns", "1"), ("releases", "三"), ("turns", "4")]
    assert list(turns) == [("turns", "1"), ("turns", "4")]


@every_backend
def test_listening_ends_after_the_wait_without_news(open_state: Open) -> None:
    state = open_state()
    threads = [threading.Timer(delay, state.publish, ["t", "x"]) for delay in (0.5, 1.0)]
    began = time.monotonic()
    news = state.listen(["t"], 0.8)
    for thread in threads:
        thread.start()
    assert list(news) == [("t", "x"), ("t", "x")]
    assert 1.7 < time.monotonic() - began < 3
    for thread in threads:
        thread.join()


@every_backend
def test_a_listener_may_leave_early(open_state: Open) -> None:
    state = open_state()
    news = state.listen(["t"], 5)
    state.publish("t", "x")
    assert next(news) == ("t", "x")
    news.close()  # type: ignore[attr-defined]
    state.publish("t", "nobody hears it")
    state.ping()


@every_backend
def test_a_lock_may_be_tried_briefly(open_state: Open) -> None:
    holder, other = open_state(), open_state(lock_wait=20)
    with holder.lock("a"), measured(at_most=2), pytest.raises(BusyError, match=r"0\.2 s"), other.lock("a", 0.2):
        pass


def test_thread_locks_leave_nothing_behind() -> None:
    locks = ThreadLocks()
    with locks.hold("a", 1), locks.hold("b", 1):
        assert len(locks) == 2
        with pytest.raises(StateUnavailableError), locks.hold("a", 0):
            pass
    assert len(locks) == 0


# -- locks of Redis


@every_redis
def test_a_lock_outlasts_many_leases(open_state: Open) -> None:
    holder, other = open_state(lock_lease=0.6), open_state(lock_wait=2.0)
    with holder.lock("a"), pytest.raises(StateUnavailableError), other.lock("a"):
        pass
    with measured(at_most=0.5), other.lock("a"):
        pass


@every_redis
def test_a_busy_process_does_not_starve_another(open_state: Open) -> None:
    busy, quiet = open_state(lock_wait=20), open_state(lock_wait=20)
    turns: list[LiveState] = []
    ends = time.monotonic() + 2

    def work(state: LiveState) -> None:
        while time.monotonic() < ends:
            with state.lock("a"):
                turns.append(state)
                time.sleep(0.02)

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(work, [busy, busy, busy, busy, quiet]))
    assert turns.count(quiet) >= len(turns) / 4


def count_up(url: str, times: int, pipe: Connection) -> None:
    with closing(RedisState(url, 60, lock_wait=30)) as state:
        pipe.send("ready")
        for _ in range(times):
            with state.lock("shared"):
                counted = state.load("counter") or Conversation("counter")
                time.sleep(0.005)
                state.save(Conversation("counter", turns=counted.turns + 1))
        pipe.recv()


def hold_forever(url: str, pipe: Connection) -> None:
    state = RedisState(url, 60, lock_lease=1.0)
    with state.lock("orphan"):
        pipe.send("held")
        pipe.recv()


@every_server
def test_two_processes_never_hold_a_lock_together(request: pytest.FixtureRequest, server: str) -> None:
    url = request.getfixturevalue(f"{server}_url")
    with closing(Child(count_up, url, 30)) as one, closing(Child(count_up, url, 30)) as other:
        for child in (one, other):
            child.said()
        for child in (one, other):
            child.end()
    with closing(RedisState(url, 60)) as state:
        assert state.load("counter") == Conversation("counter", turns=60)


@every_server
def test_the_lock_of_a_killed_process_becomes_free(request: pytest.FixtureRequest, server: str) -> None:
    url = request.getfixturevalue(f"{server}_url")
    with (
        closing(Child(hold_forever, url)) as holder,
        closing(RedisState(url, 60, lock_wait=1.5)) as patient,
        closing(RedisState(url, 60, lock_wait=4)) as heir,
    ):
        holder.said()
        with pytest.raises(StateUnavailableError), patient.lock("orphan"):
            pass
        holder.kill()
        with measured(at_most=3), heir.lock("orphan"):
            pass
