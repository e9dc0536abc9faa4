"""Readings, hits and states of the example shop for tests of what is decided."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bot.bot_files import load_bot_files
from bot.domain.conversation import Conversation, FormState
from nlu.types import Distribution, Entity, Score, Understanding
from retrieval.types import FaqEntry, Hit, HitThresholds

BOT = load_bot_files(Path(__file__).parents[4] / "examples" / "shop")
RULES = BOT.rules
HIT_THRESHOLDS = HitThresholds(accept=0.7, suggest=0.3)
VECTOR = np.zeros(3, dtype=np.float32)
ENTRIES = {
    entry: FaqEntry(entry, f"Question {entry}?", f"Answer {entry}.", lang)
    for entry, lang in [("a", "en"), ("b", "en"), ("c", "zh")]
}
NUMBER = Entity("order_number", 9, 19, "FD20481937", "FD20481937")
ASKING = FormState("order", {}, "order_number", 0, "order_status")
CONFIRMING = FormState("order", {"order_number": "FD20481937"}, "confirm", 0, "order_status")
START = Conversation("web:1", lang="en")
ASKED, CONFIRMED = Conversation("web:1", lang="en", form=ASKING), Conversation("web:1", lang="en", form=CONFIRMING)


def read(
    text: str = "some words",
    *intents: tuple[str, float],
    emotion: tuple[str, float] = ("neutral", 0.9),
    oos: float = 0.05,
    lang: str = "en",
    entities: tuple[Entity, ...] = (),
) -> Understanding:
    heads = {"emotion": Distribution((Score(*emotion),))}
    if intents:
        heads["intent"] = Distribution(tuple(Score(*intent) for intent in intents))
    return Understanding(text, lang, heads, entities, oos, VECTOR, "r1")


def found(entry: str, score: float) -> Hit:
    return Hit(ENTRIES[entry], ENTRIES[entry].question, score, score)
