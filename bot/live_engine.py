"""The release in force, loaded for answering and followed when another is promoted."""

from __future__ import annotations

import ctypes
import sys
import threading
from pathlib import Path
from typing import Any

import structlog

from bot.errors import FaqError, FrontdeskError, ReleaseError, UnavailableError
from bot.pipeline import Engine
from nlu.explain import explain
from nlu.neighbours import Neighbours
from nlu.releases import ReleaseStore
from nlu.runtime import ReleaseUnderstander, load_understander
from retrieval.index import FaqIndex

log_line = structlog.get_logger(__name__)

_WATCH_SECONDS = 1.0


def load_engine(folder: Path, threads: int = 0) -> Engine:
    """Loads a release for answering.

    Args:
        folder: a verified release.
        threads: messages read at a time; 0 for one a core.

    Returns:
        The engine, warmed up.

    Raises:
        ReleaseError: a part of it cannot be loaded.
    """
    understander = load_understander(folder, threads)
    try:
        index = FaqIndex.load(folder)
    except FaqError as error:
        raise ReleaseError(
            f"{folder}: the FAQ index cannot be loaded: {error}. Train or restore the release."
        ) from error
    for text in ("hello", "你好，我的订单到哪里了？", "Where is my order? " * 8):
        understander.understand([text])
    _give_back_memory()
    entries = {entry.id: entry for entry in index.entries}
    return Engine(understander, index, entries, understander.manifest.heads)


class LiveEngine:
    """The engine in force; follows `current` of the release store, so that a promotion needs no restart.

    Args:
        store: the release store.
        threads: messages read at a time; 0 for one a core.
    """

    def __init__(self, store: ReleaseStore, threads: int = 0) -> None:
        self._store = store
        self._threads = threads
        self._engine: Engine | None = None
        self._seen: str | None = None
        self._stop = threading.Event()
        self._watch = threading.Thread(target=self._follow, name="release-watch", daemon=True)

    def __call__(self) -> Engine:
        """The engine in force.

        Returns:
            The engine.

        Raises:
            UnavailableError: no release can be loaded.
        """
        if self._engine is None:
            raise UnavailableError(
                "No release is ready. Train one with `make run` or `frontdesk train`, then promote it."
            )
        return self._engine

    def explain(self, text: str) -> dict[str, Any] | None:
        """Why the engine in force reads a text as it does; see `explain_text`."""
        engine = self()
        return explain_text(engine, self._store.path(engine.understander.release), text)

    @property
    def ready(self) -> bool:
        """Whether there is an engine."""
        return self._engine is not None

    def start(self) -> None:
        """Loads the current release, then follows changes."""
        self.refresh()
        self._watch.start()

    def stop(self) -> None:
        """Ends following."""
        self._stop.set()
        if self._watch.is_alive():
            self._watch.join(timeout=5)

    def refresh(self) -> None:
        """Swaps to the current release if it is another; a bad one is refused and the one in force stays."""
        wanted = self._store.current()
        if wanted == self._seen and self._engine is not None:
            return
        try:
            name, warning = self._store.open_current()
            if self._engine is None or name != self._engine.understander.release:
                self._engine = load_engine(self._store.path(name), self._threads)
                log_line.info("release_in_force", release=name)
            if warning and wanted != self._seen:
                log_line.warning("release_refused", release=wanted, reason=warning)
        except FrontdeskError as error:
            if wanted != self._seen:
                log_line.warning("release_refused", release=wanted, reason=str(error))
        self._seen = wanted

    def _follow(self) -> None:
        while not self._stop.wait(_WATCH_SECONDS):
            self.refresh()


def explain_text(engine: Engine, folder: Path, text: str, *, gradients: bool = False) -> dict[str, Any] | None:
    """Explains the intent of a text: the tokens that carried it, and the training examples that it is like.

    Args:
        engine: a loaded release.
        folder: the release's folder.
        text: what the customer wrote.
        gradients: True for integrated gradients, which load torch; otherwise by erasure.

    Returns:
        The explanation as plain JSON values; None where there is no intent to explain.

    Raises:
        FrontdeskError: the release's examples are damaged, or captum is not installed.
    """
    understander = engine.understander
    if not isinstance(understander, ReleaseUnderstander):
        return None
    found = explain(understander, Neighbours.load(folder), text)
    if found is not None and gradients:
        from nlu.attribution import attribute

        found = attribute(folder, understander, found)
    return found.to_json() if found is not None else None


def _give_back_memory() -> None:
    """Returns what loading has freed to the system; glibc would keep it for this process."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
