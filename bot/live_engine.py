"""The release in force, loaded for answering and followed when another is promoted."""

from __future__ import annotations

import ctypes
import math
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import structlog

from bot.dialogue.engine import USUAL_RISK, Engine
from bot.domain.log_ports import ConversationLog
from bot.domain.ports import Clock
from bot.domain.records import FaqDraft, FaqVersion
from bot.errors import FaqError, FrontdeskError, ReleaseError, UnavailableError
from bot.knowledge.live import RememberedVectors, answering, foreseen, next_change, with_entries
from nlu.explain import explain
from nlu.neighbours import Neighbours
from nlu.releases import ReleaseStore
from nlu.runtime import ReleaseUnderstander, load_understander
from retrieval.index import FaqIndex
from retrieval.types import FaqEntry

log_line = structlog.get_logger(__name__)

_WATCH_SECONDS = 1.0
_EDIT_SECONDS = 0.25
_LONGEST_PAUSE = 30.0


def load_engine(folder: Path, threads: int = 0) -> Engine:
    """Loads a release for answering.

    Args:
        folder: a verified release.
        threads: messages read at a time; 0 for one a core.

    Returns:
        The engine, warmed up.

    Raises:
        ReleaseError: a part of it cannot be loaded, or does not do its work.
    """
    try:
        return _load(folder, threads)
    except ReleaseError:
        raise
    except FaqError as error:
        raise ReleaseError(
            f"{folder}: the FAQ index cannot be loaded: {error}. Train or restore the release."
        ) from error
    except Exception as error:
        remedy = "Free memory, or train or restore the release."
        raise ReleaseError(f"{folder}: cannot be loaded ({type(error).__name__}: {error}). {remedy}") from error


def _load(folder: Path, threads: int) -> Engine:
    understander = load_understander(folder, threads)
    index = FaqIndex.load(folder)
    if index.width != understander.engine.width:
        raise ReleaseError(
            f"{folder}: the FAQ index has vectors of width {index.width}, the encoder of {understander.engine.width}. "
            "Train or restore the release."
        )
    for text in ("hello", "你好，我的订单到哪里了？", "Where is my order? " * 8):
        understander.understand([text])
    _give_back_memory()
    entries = {entry.id: entry for entry in index.entries}
    manifest = understander.manifest
    return Engine(understander, index, entries, manifest.heads, manifest.config.get("risk", USUAL_RISK))


class LiveEngine:
    """The engine in force; follows `current` of the release store, so that a promotion needs no restart.

    Args:
        store: the release store.
        threads: messages read at a time; 0 for one a core.
        log: has the edited FAQ entries; None to answer from the release's alone.
        clock: tells when scheduled entries begin and cease to answer.
    """

    def __init__(
        self,
        store: ReleaseStore,
        threads: int = 0,
        *,
        log: ConversationLog | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._store = store
        self._threads = threads
        self._engine: Engine | None = None
        self._loaded: Engine | None = None
        self._vectors: RememberedVectors | None = None
        self._edits = _Edits(log, clock) if log is not None and clock is not None else None
        self._seen: str | None = None
        self._refused: str | None = None
        self._pause = _WATCH_SECONDS
        self._again = -math.inf
        self._failure: str | None = None
        self._rest = _EDIT_SECONDS
        self._changing = threading.Lock()
        self._stop = threading.Event()
        self._looked = monotonic()
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

    def faq_entries(self) -> tuple[FaqEntry, ...]:
        """The FAQ entries of the release, as it was trained."""
        return tuple(self._loaded.entries.values()) if self._loaded is not None else ()

    @property
    def ready(self) -> bool:
        """Whether there is an engine."""
        return self._engine is not None

    def start(self) -> None:
        """Loads the current release, then follows changes."""
        self._try(self.refresh)
        self._watch.start()

    def stop(self) -> None:
        """Ends following."""
        self._stop.set()
        if self._watch.is_alive():
            self._watch.join(timeout=5)

    def use(self, engine: Engine) -> None:
        """Answers with an engine, whatever release is current, until `refresh`; later edits play no part.

        Args:
            engine: from `load_engine`.
        """
        with self._changing:
            self._engine = self._loaded = engine
            self._vectors = None

    def refresh(self) -> None:
        """Swaps to the current release if it is another; a bad one is refused and the one in force stays."""
        with self._changing:
            self._follow_release()
            self._follow_edits()

    def refresh_entries(self) -> None:
        """Answers with FAQ entries as they were edited last; where SQL is away, those from before go on answering."""
        with self._changing:
            self._follow_edits()

    def preview(self, draft: FaqDraft) -> tuple[Engine, Engine]:
        """What would answer if an entry were another.

        Args:
            draft: the entry as it would be stored.

        Returns:
            The engine in force, and the same with the draft.

        Raises:
            UnavailableError: no release can be loaded.
        """
        with self._changing:
            engine, loaded = self(), self._loaded or self()
            edits, release = self._edits, tuple(loaded.entries.values())
            if edits is None:
                entries = foreseen(draft, release, (), datetime.now(UTC), {})
            else:
                entries = foreseen(draft, release, edits.latest, edits.now(), edits.variants)
            return engine, with_entries(loaded, entries, self._vectors or RememberedVectors(loaded), before=engine)

    def _follow_edits(self) -> None:
        if self._edits is None or self._loaded is None or self._vectors is None or not self._edits.changed():
            return
        self._engine = self._edited(self._edits, self._loaded, self._vectors) or self._engine

    def _edited(self, edits: _Edits, loaded: Engine, vectors: RememberedVectors) -> Engine | None:
        """A release with the entries as they were edited last; None where these cannot be searched."""
        entries = answering(loaded.entries.values(), edits.latest, edits.seen_at, edits.variants)
        try:
            return with_entries(loaded, entries, vectors, before=self._engine)
        except FaqError as error:
            edits.refuse(str(error))
            return None
        except Exception:
            edits.forget()
            raise

    def _follow_release(self) -> None:
        """Looks at the release that `current` names: when the name changes, and again after it was refused."""
        wanted = self._store.current()
        if wanted != self._seen:
            self._seen, self._refused, self._pause = wanted, None, _WATCH_SECONDS
        elif monotonic() < self._again:
            return
        unexpected = None
        try:
            refused = self._load_current()
        except FrontdeskError as error:
            refused = str(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the release in force serves on
            refused, unexpected = repr(error), error
        if refused is None:
            self._again = math.inf
            return
        if refused != self._refused:
            log_line.warning("release_refused", release=wanted, reason=refused, exc_info=unexpected)
        self._refused = refused
        self._again = monotonic() + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def _load_current(self) -> str | None:
        """Puts the current release, or the last good one, into force; says why it is not the current one."""
        unusable: dict[str, str] = {}
        while True:
            name, warning = self._store.open_current(unusable)
            if self._loaded is not None and name == self._loaded.understander.release:
                return warning
            try:
                loaded = load_engine(self._store.path(name), self._threads)
            except ReleaseError as error:
                if self._loaded is not None:
                    raise
                unusable[name] = str(error)
            else:
                self._put_into_force(loaded)
                return warning

    def _put_into_force(self, loaded: Engine) -> None:
        vectors = RememberedVectors(loaded)
        engine = loaded
        if self._edits is not None:
            self._edits.changed()
            engine = self._edited(self._edits, loaded, vectors) or loaded
        self._loaded, self._vectors, self._engine = loaded, vectors, engine
        log_line.info("release_in_force", release=loaded.understander.release)

    def _follow(self) -> None:
        while not self._stop.wait(self._rest):
            if monotonic() - self._looked >= _WATCH_SECONDS:
                self._looked = monotonic()
                self._try(self.refresh)
            else:
                self._try(self.refresh_entries)

    def _try(self, look: Callable[[], None]) -> None:
        """Looks once. What nobody expected is logged, once for the same, and the next look comes later."""
        try:
            look()
        except Exception as error:
            if repr(error) != self._failure:
                log_line.exception("release_watch_failed")
            self._failure, self._rest = repr(error), min(2 * self._rest, _LONGEST_PAUSE)
        else:
            self._failure, self._rest = None, _EDIT_SECONDS


class _Edits:
    """The edited entries as they were last seen."""

    def __init__(self, log: ConversationLog, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._revision = -1
        self._due: datetime | None = None
        self._away = False
        self._refused = ""
        self._pause = _WATCH_SECONDS
        self._again = math.inf
        self.latest: list[FaqVersion] = []
        self.variants: dict[str, frozenset[str]] = {}
        self.seen_at = clock.now()

    def now(self) -> datetime:
        """The present moment."""
        return self._clock.now()

    def changed(self) -> bool:
        """Looks whether there is something to put in force; while SQL is away there is not.

        There is where an entry was edited, or begins or ceases to answer by its schedule, and, after growing pauses,
        where the entries were refused.
        """
        now = self._clock.now()
        try:
            revision = self._log.faq_revision()
            if revision != self._revision:
                self.latest, self.variants = self._log.faq_latest(), self._log.faq_variants()
        except UnavailableError as error:
            if not self._away:
                log_line.warning("faq_edits_out_of_reach", reason=str(error))
            self._away, revision = True, self._revision
        else:
            self._away = False
        if revision != self._revision or (self._due is not None and now >= self._due):
            self._refused, self._pause = "", _WATCH_SECONDS
        elif monotonic() < self._again:
            return False
        self._again = math.inf
        self._revision, self.seen_at, self._due = revision, now, next_change(self.latest, now)
        return True

    def refuse(self, reason: str) -> None:
        """Notes that the entries as they are now cannot be searched; says so once for the same reason.

        Args:
            reason: why not.
        """
        if reason != self._refused:
            log_line.warning("faq_edits_not_in_force", reason=reason)
        self._refused = reason
        self._again = monotonic() + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def forget(self) -> None:
        """Has the next look find them changed, as what it found this time is not in force."""
        self._revision = -1


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
