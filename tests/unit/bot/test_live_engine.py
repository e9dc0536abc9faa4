from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from types import SimpleNamespace

import numpy as np
import pytest
from structlog.testing import capture_logs

from bot.bot_files import load_bot_files
from bot.dialogue.engine import Engine
from bot.domain.records import FaqDraft, FaqVersion
from bot.errors import ReleaseError
from bot.knowledge.preview import effect
from bot.live_engine import LiveEngine, load_engine
from nlu.releases import ReleaseStore
from nlu.types import Understanding
from retrieval.index import FaqIndex
from retrieval.types import FaqEntry, FaqError, Hit, HitThresholds
from tests.unit.nlu.release_examples import damage, sealed

LONG = 300.0
SHOP = Path(__file__).parents[3] / "examples" / "shop"


class Silent:
    """Notes what it reads, and finds nothing."""

    thresholds = HitThresholds()

    def __init__(self, release: str) -> None:
        self.release = release
        self.read: list[str] = []

    def understand(self, texts: list[str], langs: list[str | None] | None = None) -> list[Understanding]:
        self.read += texts
        return [Understanding(text, "en", {}, (), 0.0, np.ones(1, np.float32), self.release) for text in texts]

    def search(self, vector: object, top: int = 3, lang: str | None = None, text: str = "") -> list[Hit]:
        return []

    def related(self, entry_id: str, limit: int = 3) -> list[FaqEntry]:
        return []


class Loading:
    """Loads releases, or fails as it is told to; tells the time."""

    def __init__(self) -> None:
        self.fails: dict[str, Exception] = {}
        self.tried: list[str] = []
        self.loaded: dict[str, Silent] = {}
        self.now = 0.0

    def __call__(self, folder: Path, threads: int = 0) -> Engine:
        self.tried.append(folder.name)
        if folder.name in self.fails:
            raise self.fails[folder.name]
        reader = self.loaded[folder.name] = Silent(folder.name)
        return Engine(reader, reader, {})

    def look_for(self, engine: LiveEngine, seconds: float) -> None:
        """Looks every second."""
        for _ in range(int(seconds)):
            self.now += 1
            engine.refresh()


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    return ReleaseStore(tmp_path / "releases")


@pytest.fixture
def loading(monkeypatch: pytest.MonkeyPatch) -> Loading:
    made = Loading()
    monkeypatch.setattr("bot.live_engine.load_engine", made)
    monkeypatch.setattr("bot.live_engine.monotonic", lambda: made.now)
    return made


def serving(store: ReleaseStore) -> tuple[LiveEngine, str, str]:
    """An engine that serves the first of two releases."""
    first, second = sealed(store, 1), sealed(store, 2)
    store.promote(first)
    engine = LiveEngine(store)
    engine.refresh()
    assert engine().understander.release == first
    return engine, first, second


def test_a_refused_release_comes_into_force_once_it_is_restored(store: ReleaseStore, loading: Loading) -> None:
    engine, first, second = serving(store)
    store.promote(second)
    damage(store, second)
    with capture_logs() as lines:
        loading.look_for(engine, LONG)
    assert engine().understander.release == first
    assert [(line["event"], line["release"]) for line in lines] == [("release_refused", second)]
    damage(store, second)
    loading.look_for(engine, 30)
    assert engine().understander.release == second


def test_a_release_that_could_not_be_loaded_is_tried_again_after_growing_pauses(
    store: ReleaseStore, loading: Loading
) -> None:
    engine, first, second = serving(store)
    loading.fails[second] = ReleaseError("no memory")
    store.promote(second)
    with capture_logs() as lines:
        loading.look_for(engine, LONG)
    assert engine().understander.release == first
    assert [line["reason"] for line in lines] == ["no memory"]
    assert LONG / 30 <= loading.tried.count(second) < LONG / 30 + 6
    loading.fails.clear()
    loading.look_for(engine, 30)
    assert engine().understander.release == second
    tries = len(loading.tried)
    loading.look_for(engine, LONG)
    assert len(loading.tried) == tries


def test_a_process_that_starts_serves_the_last_release_that_can_be_loaded(
    store: ReleaseStore, loading: Loading
) -> None:
    first, second, third = (sealed(store, number) for number in (1, 2, 3))
    for name in (first, second, third):
        store.promote(name)
    loading.fails = {name: ReleaseError(f"{name}: no such operator") for name in (second, third)}
    engine = LiveEngine(store)
    with capture_logs() as lines:
        engine.refresh()
    assert engine().understander.release == first
    said = [line["reason"] for line in lines if line["event"] == "release_refused"]
    assert said == [f"{third}: no such operator Serving {first}, the last good one, until another is promoted."]
    loading.fails.clear()
    loading.look_for(engine, 30)
    assert engine().understander.release == third


def test_where_no_release_can_be_loaded_each_is_told(store: ReleaseStore, loading: Loading) -> None:
    first, second = sealed(store, 1), sealed(store, 2)
    for name in (first, second):
        store.promote(name)
        loading.fails[name] = ReleaseError(f"{name}: no such operator.")
    engine = LiveEngine(store)
    with capture_logs() as lines:
        engine.refresh()
    assert not engine.ready
    (line,) = lines
    assert f"{second}: no such operator. {first}: no such operator." in line["reason"]


def test_another_promotion_does_not_wait_for_the_next_try(store: ReleaseStore, loading: Loading) -> None:
    engine, _, second = serving(store)
    loading.fails[second] = ReleaseError("no memory")
    store.promote(second)
    loading.look_for(engine, LONG)
    third = sealed(store, 3)
    store.promote(third)
    loading.look_for(engine, 1)
    assert engine().understander.release == third


@pytest.mark.parametrize("error", [RuntimeError("no such operator"), MemoryError()])
def test_a_release_that_fails_as_nobody_expected_is_refused_too(
    store: ReleaseStore, loading: Loading, error: Exception
) -> None:
    engine, first, second = serving(store)
    loading.fails[second] = error
    store.promote(second)
    with capture_logs() as lines:
        loading.look_for(engine, LONG)
    assert engine().understander.release == first
    assert [(line["event"], line["reason"], line["exc_info"]) for line in lines] == [
        ("release_refused", repr(error), error)
    ]


@pytest.mark.parametrize("error", [RuntimeError("no such operator"), MemoryError()])
def test_a_release_whose_warm_up_fails_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def understand(_: list[str]) -> None:
        raise error

    FaqIndex.build([], lambda texts: np.ones((len(texts), 1), np.float32)).save(tmp_path)
    reader = SimpleNamespace(understand=understand, engine=SimpleNamespace(width=1))
    monkeypatch.setattr("bot.live_engine.load_understander", lambda *_: reader)
    with pytest.raises(ReleaseError, match=rf"cannot be loaded \({type(error).__name__}"):
        load_engine(tmp_path)


def test_a_preview_reads_and_searches_with_one_release(store: ReleaseStore, loading: Loading) -> None:
    engine, first, second = serving(store)

    def latest_texts(_: int) -> list[tuple[str, str]]:
        store.promote(second)
        loading.look_for(engine, 1)
        return [("hello", "en")]

    log = SimpleNamespace(latest_texts=latest_texts)
    draft = FaqDraft(FaqEntry("tea", "Do you have tea?", "Yes."))
    assert effect(draft, log, engine, load_bot_files(SHOP).rules).read == 1  # type: ignore[arg-type]
    assert engine().understander.release == second
    assert (loading.loaded[first].read, loading.loaded[second].read) == (["hello"], [])


def test_a_release_whose_index_is_of_another_encoder_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FaqIndex.build([], lambda texts: np.ones((len(texts), 1), np.float32)).save(tmp_path)
    manifest = SimpleNamespace(heads={})
    reader = SimpleNamespace(understand=lambda _: [], engine=SimpleNamespace(width=384), manifest=manifest)
    monkeypatch.setattr("bot.live_engine.load_understander", lambda *_: reader)
    with pytest.raises(ReleaseError, match="vectors of width 1, the encoder of 384"):
        load_engine(tmp_path)


@pytest.mark.parametrize(("config", "risk"), [({"risk": 0.2}, 0.2), ({}, 0.05)])
def test_the_risk_that_a_release_bears_is_known(
    config: dict[str, float], risk: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FaqIndex.build([], lambda texts: np.ones((len(texts), 1), np.float32)).save(tmp_path)
    manifest = SimpleNamespace(heads={}, config=config)
    reader = SimpleNamespace(understand=lambda _: [], engine=SimpleNamespace(width=1), manifest=manifest)
    monkeypatch.setattr("bot.live_engine.load_understander", lambda *_: reader)
    assert load_engine(tmp_path).risk == risk


class FailingLog:
    """A log without edits that fails as nobody expected while it is told to."""

    def __init__(self) -> None:
        self.fails = False
        self.looks = 0

    def faq_revision(self) -> int:
        self.looks += 1
        if self.fails:
            raise RuntimeError("no such table")
        return 0

    def faq_latest(self) -> list[FaqVersion]:
        return []

    def faq_variants(self) -> dict[str, frozenset[str]]:
        return {}


def test_the_watch_goes_on_after_what_nobody_expected(
    store: ReleaseStore, loading: Loading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.live_engine._EDIT_SECONDS", 0.001)
    monkeypatch.setattr("bot.live_engine._LONGEST_PAUSE", 0.01)
    first, second = sealed(store, 1), sealed(store, 2)
    store.promote(first)
    log = FailingLog()
    engine = LiveEngine(store, log=log, clock=SimpleNamespace(now=lambda: datetime.now(UTC)))  # type: ignore[arg-type]
    engine.start()
    try:
        with capture_logs() as lines:
            log.fails = True
            until_looked(log, 5)
            log.fails = False
            until_looked(log, 5)
            store.promote(second)
            loading.now += 1
            until_looked(log, 5)
        assert engine().understander.release == second
        assert [line["event"] for line in lines] == ["release_watch_failed", "release_in_force"]
    finally:
        engine.stop()
    assert "release-watch" not in [thread.name for thread in threading.enumerate()]


def test_an_edit_that_could_not_be_searched_is_tried_again(
    store: ReleaseStore, loading: Loading, monkeypatch: pytest.MonkeyPatch
) -> None:
    edited = Engine(Silent("edited"), Silent("edited"), {"lamp": FaqEntry("lamp", "Lamp?", "Yes.")})
    fault: list[FaqError] = [FaqError("vectors of length 0")]
    tried: list[float] = []

    def with_entries(*_: object, **__: object) -> Engine:
        tried.append(loading.now)
        if fault:
            raise fault[0]
        return edited

    monkeypatch.setattr("bot.live_engine.with_entries", with_entries)
    first = sealed(store, 1)
    store.promote(first)
    clock = SimpleNamespace(now=lambda: datetime.now(UTC))
    engine = LiveEngine(store, log=FailingLog(), clock=clock)  # type: ignore[arg-type]
    with capture_logs() as lines:
        loading.look_for(engine, LONG)
    assert engine().understander.release == first
    assert [line["reason"] for line in lines if line["event"] == "faq_edits_not_in_force"] == ["vectors of length 0"]
    assert LONG / 30 <= len(tried) < LONG / 30 + 6, "again and again, after growing pauses"
    fault.clear()
    loading.look_for(engine, 30)
    assert engine() is edited
    tries = len(tried)
    loading.look_for(engine, 100)
    assert len(tried) == tries, "what is in force is left alone"


def until_looked(log: FailingLog, times: int) -> None:
    """Waits until the log was looked at some more times."""
    wanted, deadline = log.looks + times, monotonic() + 20
    while log.looks < wanted:
        assert monotonic() < deadline, "nobody looks"
        sleep(0.005)
