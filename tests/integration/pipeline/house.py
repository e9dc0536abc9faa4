"""A pipeline over the real log, with a reader that is told what to read."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.adapters.memory import MemoryState
from bot.adapters.sql_log import SqlLog, open_log
from bot.bot_files import BotFiles
from bot.desk.handover import Desk
from bot.dialogue.engine import Engine
from bot.domain.conversation import Conversation
from bot.domain.messages import IncomingMessage, Reply
from bot.domain.records import Agent
from bot.errors import StateUnavailableError
from bot.intake import MessageIntake
from bot.pipeline import Pipeline
from nlu.types import Distribution, Score, Understanding
from retrieval.types import FaqEntry, Hit, HitThresholds

MEI = Agent(1, "mei", "agent", "")
SHOP = Path(__file__).parents[3] / "examples" / "shop"
ENTRY = FaqEntry("wool.en", "How do I wash wool?", "By hand.", "en")
SILK = FaqEntry("silk.en", "How do I wash silk?", "Do not.", "en")
LONG = FaqEntry("long.en", "Tell me all", " ".join(f"Sentence {n} about ships." for n in range(40)), "en")
LONG_ID = replace(LONG, id=f"{'羊毛' * 10}.en")
IRON = FaqEntry("iron.en", "How hot may the iron be?", "Warm.", "en")


class Clock:
    def __init__(self) -> None:
        self.time = datetime(2026, 3, 1, 9, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


class Reader:
    """Reads the intent that the text names, such as `#greeting`; `#boom` makes it fail."""

    release = "r1"
    confidence = 0.95

    def understand(self, texts: Sequence[str], langs: Sequence[str | None] | None = None) -> list[Understanding]:
        return [self._read(text, lang) for text, lang in zip(texts, langs or [None] * len(texts), strict=True)]

    def _read(self, text: str, lang: str | None) -> Understanding:
        if "#boom" in text:
            raise RuntimeError("the reader fell over")
        intent = text.partition("#")[2].split(" ")[0] or "oos"
        heads = {
            "intent": Distribution((Score(intent, self.confidence), Score("order_cancel", 0.01))),
            "emotion": Distribution((Score("neutral", 0.9),)),
        }
        oos = 1.0 if intent == "oos" else 0.0
        return Understanding(text, lang or "en", heads, (), oos, np.ones(2, dtype=np.float32), "r1")


class Search:
    thresholds = HitThresholds(0.7, 0.3)

    def search(self, vector: object, top: int = 3, lang: str | None = None, text: str = "") -> list[Hit]:
        return [Hit(ENTRY, ENTRY.question, 0.4, 0.1)]

    def related(self, entry_id: str, limit: int = 3) -> list[FaqEntry]:
        return [SILK, ENTRY]


class AwayState(MemoryState):
    """Working memory that can be switched off."""

    away = False
    deaf = False

    def lock(self, conversation: str, wait: float | None = None) -> AbstractContextManager[None]:
        if self.away:
            raise StateUnavailableError("Redis does not answer")
        return super().lock(conversation, wait)

    def save(self, state: Conversation) -> None:
        self._hear()
        super().save(state)

    def forget(self, conversation: str) -> None:
        self._hear()
        super().forget(conversation)

    def _hear(self) -> None:
        if self.deaf:
            raise StateUnavailableError("Redis does not answer")


class House:
    def __init__(self, folder: Path, files: BotFiles) -> None:
        self.clock = Clock()
        self.log: SqlLog = open_log(f"sqlite:///{folder / 'log.sqlite3'}", self.clock)
        self.state = AwayState()
        engine = Engine(Reader(), Search(), {entry.id: entry for entry in (ENTRY, SILK, IRON, LONG, LONG_ID)})
        self.pipeline = Pipeline(
            lambda: engine, self.log, self.state, files.rules, files.templates, self.clock, state_ttl=3600
        )
        self.intake = MessageIntake(
            self.pipeline, self.log, self.state, lambda _: Reply("One moment.", "en"), workers=2
        )

    def says(self, text: str, number: int = 1, conversation: str = "api-1") -> IncomingMessage:
        return IncomingMessage(f"m{number}", conversation, text, self.clock.now())

    def desk(self) -> Desk:
        return Desk(log=self.log, state=self.state, clock=self.clock, texts=lambda key, lang: f"{key}/{lang}")

    def stored_state(self, conversation: str = "api-1") -> Conversation:
        snapshot = self.log.snapshot(conversation)
        assert snapshot is not None
        return snapshot[0]

    def close(self) -> None:
        self.intake.stop()
        self.state.close()
        self.log.close()


def wait_until(happens: Any, seconds: float = 10.0) -> None:
    done = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if happens():
            return
        done.wait(0.05)
    pytest.fail("it did not happen in time")
