"""What a preview tells is what customers would get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bot.bot_files import load_bot_files
from bot.dialogue.engine import Engine
from bot.domain.records import FaqDraft
from bot.errors import UnavailableError
from bot.knowledge.preview import Change, Effect, alike, effect
from nlu.types import Distribution, Score, Understanding
from retrieval.types import FaqEntry, Hit, HitThresholds

RULES = load_bot_files(Path(__file__).parents[4] / "examples" / "shop").rules
GNOME = FaqEntry("gnome.en", "Can I repaint the gnome?", "Yes.")
TEA = FaqEntry("tea.en", "Do you have tea?", "No.")
ENTRIES = {entry.id: entry for entry in (GNOME, TEA)}


class Reader:
    """Reads the intent that follows a `#`; anything else has none."""

    release = "r1"

    def understand(self, texts: Sequence[str], langs: Sequence[str | None] | None = None) -> list[Understanding]:
        return [self._read(text) for text in texts]

    def _read(self, text: str) -> Understanding:
        intent = text.partition("#")[2].rstrip("?")
        heads = {"intent": Distribution((Score(intent, 0.9),))} if intent else {}
        return Understanding(text, "en", heads, (), 0.0, np.ones(1, np.float32), "r1")


class Search:
    """Finds entries by the first word of the text."""

    thresholds = HitThresholds(0.7, 0.3)

    def __init__(self, scores: Mapping[str, Mapping[str, float]]) -> None:
        self.scores = scores

    def search(self, vector: object, top: int = 3, lang: str | None = None, text: str = "") -> list[Hit]:
        scores = self.scores.get(text.split(maxsplit=1)[0], {})
        return [Hit(ENTRIES[entry], "", score, score) for entry, score in scores.items()]

    def related(self, entry_id: str, limit: int = 3) -> list[FaqEntry]:
        return []


def seen(texts: Sequence[str], now: Mapping[str, float], then: Mapping[str, float], entry: FaqEntry = GNOME) -> Effect:
    """The effect of a draft where `repaint` finds some entries now, others then, and `tea` always finds the tea."""
    engines = [Engine(Reader(), Search({"repaint": scores, "tea": {TEA.id: 0.9}}), ENTRIES) for scores in (now, then)]
    log = SimpleNamespace(latest_texts=lambda _: [(text, "en") for text in texts])
    return effect(FaqDraft(entry), log, SimpleNamespace(preview=lambda _: engines), RULES)  # type: ignore[arg-type]


ASKED = "repaint it?"
CASES = {
    "certain": (ASKED, {}, {"gnome.en": 0.9}, Effect(1, (Change(ASKED, "", "gnome.en"),), (), ())),
    "more likely than not": (ASKED, {}, {"gnome.en": 0.55}, Effect(1, (Change(ASKED, "", "gnome.en"),), (), ())),
    "offered": (ASKED, {}, {"gnome.en": 0.4}, Effect(1, (), (), (Change(ASKED, "", ""),))),
    "below a general answer": (
        "repaint #warranty",
        {},
        {"gnome.en": 0.4},
        Effect(1, (), (), (Change("repaint #warranty", "", ""),)),
    ),
    "too far": (ASKED, {}, {"gnome.en": 0.2}, Effect(1, (), (), ())),
    "a handover goes first": ("repaint #human_agent", {}, {"gnome.en": 0.9}, Effect(1, (), (), ())),
    "instead of another": (
        ASKED,
        {"tea.en": 0.8},
        {"gnome.en": 0.9, "tea.en": 0.1},
        Effect(1, (Change(ASKED, "tea.en", "gnome.en"),), (), ()),
    ),
    "no longer": (ASKED, {"gnome.en": 0.9}, {"gnome.en": 0.1}, Effect(1, (), (Change(ASKED, "gnome.en", ""),), ())),
    "as before": (ASKED, {"gnome.en": 0.9}, {"gnome.en": 0.8}, Effect(1, (), (), ())),
    "one of two questions": (
        "tea please? repaint it?",
        {},
        {"gnome.en": 0.9},
        Effect(1, (Change("tea please? repaint it?", "tea.en", "gnome.en"),), (), ()),
    ),
}


@pytest.mark.parametrize(("text", "now", "then", "expected"), CASES.values(), ids=CASES)
def test_what_an_entry_would_change(
    text: str, now: Mapping[str, float], then: Mapping[str, float], expected: Effect
) -> None:
    assert seen([text], now, then) == expected


def test_entries_that_ask_nearly_the_same_are_found() -> None:
    repainting = FaqEntry("repainting.en", "repaint the gnome: may I?", "No.")
    offer = FaqEntry("offer.en", "What is on offer?", "Tea.", variants=("REPAINT the gnome: may I",))
    entries = {**ENTRIES, offer.id: offer, repainting.id: repainting}
    engine = Engine(Reader(), Search({"repaint": {GNOME.id: 0.95, TEA.id: 0.5}}), entries)
    assert alike(repainting, lambda: engine) == [GNOME, offer]
    assert alike(replace(repainting, lang="zh"), lambda: engine) == []


def test_without_a_release_nothing_is_alike() -> None:
    def none() -> Engine:
        raise UnavailableError("no release")

    assert alike(GNOME, none) == []
