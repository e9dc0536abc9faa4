from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.dialogue.engine import Engine
from bot.domain.records import FaqDraft, FaqVersion
from bot.knowledge.live import RememberedVectors, answering, foreseen, next_change, with_entries
from bot.live_engine import LiveEngine
from nlu.releases import ReleaseStore
from nlu.types import Understanding
from retrieval.index import FaqIndex
from retrieval.types import FaqEntry

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
WOOL = FaqEntry("wool", "How do I wash wool?", "By hand.", "en", ("wash wool", "learnt by the release"))
SILK = FaqEntry("silk", "How do I wash silk?", "Do not.")
TEA = FaqEntry("tea", "Do you have tea?", "Yes.")


def version(entry: FaqEntry, **more: object) -> FaqVersion:
    made = FaqVersion(entry, 1, True, None, None, "api", NOW)
    return replace(made, **more)


WARM = replace(WOOL, answer="Warm.", variants=("wash wool",))
LEARNT_WARM = replace(WOOL, answer="Warm.")
ASKED_OTHERWISE = replace(WOOL, question="Wool in the machine?", variants=())

ANSWERING = {
    "nothing edited": ([], [WOOL, SILK]),
    "an answer edited keeps what was learnt": (
        [version(WARM)],
        [replace(WARM, variants=("wash wool", "learnt by the release")), SILK],
    ),
    "another question forgets it": ([version(ASKED_OTHERWISE)], [ASKED_OTHERWISE, SILK]),
    "an entry added": ([version(TEA)], [WOOL, SILK, TEA]),
    "one disabled": ([version(WOOL, enabled=False)], [SILK]),
    "an added one disabled": ([version(TEA, enabled=False)], [WOOL, SILK]),
    "not yet": ([version(TEA, valid_from=NOW + HOUR)], [WOOL, SILK]),
    "from now on": ([version(TEA, valid_from=NOW)], [WOOL, SILK, TEA]),
    "no longer": ([version(SILK, valid_until=NOW)], [WOOL]),
    "still": ([version(TEA, valid_until=NOW + HOUR)], [WOOL, SILK, TEA]),
}


@pytest.mark.parametrize(("edited", "expected"), ANSWERING.values(), ids=ANSWERING)
def test_what_answers(edited: list[FaqVersion], expected: list[FaqEntry]) -> None:
    assert answering([WOOL, SILK], edited, NOW, {"wool": {"wash wool"}}) == expected


def test_a_variant_that_an_editor_took_out_is_gone_and_what_is_learnt_later_comes() -> None:
    seen = {"wool": {"wash wool", "learnt by the release"}}
    moved = replace(SILK, variants=("learnt by the release",))
    edited = [version(WARM), version(moved)]
    assert answering([WOOL, SILK], edited, NOW, seen) == [WARM, moved]
    later = replace(WOOL, variants=(*WOOL.variants, "learnt later"))
    assert answering([later, SILK], edited, NOW, seen)[0].variants == ("wash wool", "learnt later")


FORESEEN = {
    "an answer edited keeps what no editor has seen": (
        FaqDraft(WARM),
        {},
        {"wool": ("wash wool",)},
        [LEARNT_WARM, SILK],
    ),
    "what the first editor sees and takes out is gone": (FaqDraft(WARM), {}, {}, [WARM, SILK]),
    "an entry added": (FaqDraft(TEA), {}, {}, [WOOL, SILK, TEA]),
    "one disabled": (FaqDraft(WOOL, enabled=False), {}, {}, [SILK]),
    "not yet": (FaqDraft(TEA, valid_from=NOW + HOUR), {}, {}, [WOOL, SILK]),
    "no longer": (FaqDraft(SILK, valid_until=NOW), {}, {}, [WOOL]),
    "beside other edits": (FaqDraft(TEA), {"silk": version(SILK, enabled=False)}, {}, [WOOL, TEA]),
    "in place of an earlier edit": (FaqDraft(TEA), {"tea": version(TEA, enabled=False)}, {}, [WOOL, SILK, TEA]),
}


@pytest.mark.parametrize(("draft", "edited", "seen", "expected"), FORESEEN.values(), ids=FORESEEN)
def test_what_would_answer(
    draft: FaqDraft, edited: dict[str, FaqVersion], seen: dict[str, tuple[str, ...]], expected: list[FaqEntry]
) -> None:
    assert foreseen(draft, [WOOL, SILK], edited.values(), NOW, seen) == expected


def test_a_preview_shows_what_would_answer() -> None:
    engine, _ = loaded()
    live = LiveEngine(ReleaseStore(Path("nowhere")))
    live._engine = live._loaded = engine
    for draft, after in ((FaqDraft(SILK, enabled=False), {"wool"}), (FaqDraft(TEA), {"wool", "silk", "tea"})):
        now, would = live.preview(draft)
        assert isinstance(now.search, FaqIndex)
        assert isinstance(would.search, FaqIndex)
        assert {entry.id for entry in now.search.entries} == {"wool", "silk"}
        assert {entry.id for entry in would.search.entries} == after


def test_the_next_change_is_the_first_moment_to_come() -> None:
    scheduled = [
        version(TEA, valid_from=NOW - HOUR, valid_until=NOW + 3 * HOUR),
        version(SILK, valid_from=NOW + 2 * HOUR),
        version(WOOL, valid_from=NOW + HOUR, enabled=False),
        version(WOOL),
    ]
    assert next_change(scheduled, NOW) == NOW + 2 * HOUR
    assert next_change(scheduled, NOW + 3 * HOUR) is None


class Reader:
    """Reads letters; notes what it was asked to read."""

    release = "r"

    def __init__(self) -> None:
        self.read: list[str] = []

    def understand(self, texts: list[str], langs: list[str | None] | None = None) -> list[Understanding]:
        self.read += texts
        return [Understanding(text, "en", {}, (), 0.0, vector(text), "r") for text in texts]


def vector(text: str) -> np.ndarray:
    counts = np.array([1.0 + text.lower().count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"])
    return (counts / np.linalg.norm(counts)).astype(np.float32)


def loaded() -> tuple[Engine, Reader]:
    reader = Reader()
    index = FaqIndex.build([WOOL, SILK], lambda texts: np.stack([vector(text) for text in texts]))
    return Engine(reader, index, {"wool": WOOL, "silk": SILK}), reader


def test_only_what_is_new_is_read() -> None:
    engine, reader = loaded()
    vectors = RememberedVectors(engine)
    edited = with_entries(engine, [WARM, SILK, TEA], vectors)
    assert reader.read == [TEA.question, f"{WOOL.question}\nWarm.", f"{TEA.question}\n{TEA.answer}"]
    again = with_entries(engine, [WARM, SILK], vectors)
    assert len(reader.read) == 3
    assert set(edited.entries) == {"wool", "silk", "tea"}
    assert again.entries["wool"].answer == "Warm."
    assert edited.search.thresholds == engine.search.thresholds
    assert edited.search.search(vector(TEA.question), 1, text=TEA.question)[0].entry is TEA
    assert engine.entries["wool"].answer == "By hand."


def test_without_a_change_the_engine_stays() -> None:
    engine, _ = loaded()
    assert with_entries(engine, [WOOL, SILK], RememberedVectors(engine)) is engine


def test_nothing_may_be_left_to_answer() -> None:
    engine, _ = loaded()
    empty = with_entries(engine, [], RememberedVectors(engine))
    assert empty.search.search(vector("wool"), 1, text="wool") == []


def test_what_is_in_no_entry_any_more_is_forgotten_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.knowledge.live._SPARE", 10)
    engine, reader = loaded()
    vectors = RememberedVectors(engine)
    drafts = [replace(TEA, answer=f"Yes, {number}.") for number in range(100)]
    for draft in drafts:
        with_entries(engine, [WOOL, SILK, draft], vectors)
    assert len(reader.read) == 1 + len(drafts)
    released, in_use = 2, 3
    assert len(vectors.passages._known) <= released + in_use + 10
    with_entries(engine, [WOOL, SILK, drafts[-1]], vectors)
    assert len(reader.read) == 1 + len(drafts)


def test_without_a_calibration_of_its_own_a_release_learns_it_from_what_is_edited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader = Reader()

    def embed(texts: list[str]) -> np.ndarray:
        return np.stack([vector(text) for text in texts]) if texts else np.zeros((0, 26), np.float32)

    borne: list[float] = []
    build = FaqIndex.build

    def seen(*given: Any, **options: Any) -> FaqIndex:
        borne.append(options.get("risk", 0.0))
        return build(*given, **options)

    engine = Engine(reader, FaqIndex.build([], embed), {}, risk=0.2)
    monkeypatch.setattr(FaqIndex, "build", seen)
    search = with_entries(engine, [WOOL], RememberedVectors(engine)).search
    assert borne[0] == 0.2
    strange = "What will the weather be tomorrow in Peru?"
    assert search.search(vector(strange), 1, text=strange)[0].score < search.thresholds.suggest
    asked = "how do i wash my wool?"
    assert search.search(vector(asked), 1, text=asked)[0].score > search.thresholds.suggest
