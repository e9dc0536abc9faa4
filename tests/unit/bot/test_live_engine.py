from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot.dialogue.engine import Engine
from bot.errors import ReleaseError
from bot.live_engine import LiveEngine
from nlu.releases import ReleaseStore
from nlu.types import Understanding
from retrieval.types import FaqEntry, Hit, HitThresholds
from tests.unit.nlu.release_examples import damage, sealed

LONG = 300.0


class Silent:
    """Reads nothing and finds nothing."""

    thresholds = HitThresholds()

    def __init__(self, release: str) -> None:
        self.release = release

    def understand(self, texts: list[str], langs: list[str | None] | None = None) -> list[Understanding]:
        raise NotImplementedError

    def search(self, vector: object, top: int = 3, lang: str | None = None, text: str = "") -> list[Hit]:
        return []

    def related(self, entry_id: str, limit: int = 3) -> list[FaqEntry]:
        return []


class Loading:
    """Loads releases, or fails as it is told to; tells the time."""

    def __init__(self) -> None:
        self.fails: dict[str, Exception] = {}
        self.tried: list[str] = []
        self.now = 0.0

    def __call__(self, folder: Path, threads: int = 0) -> Engine:
        self.tried.append(folder.name)
        if folder.name in self.fails:
            raise self.fails[folder.name]
        reader = Silent(folder.name)
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


def test_another_promotion_does_not_wait_for_the_next_try(store: ReleaseStore, loading: Loading) -> None:
    engine, _, second = serving(store)
    loading.fails[second] = ReleaseError("no memory")
    store.promote(second)
    loading.look_for(engine, LONG)
    third = sealed(store, 3)
    store.promote(third)
    loading.look_for(engine, 1)
    assert engine().understander.release == third
