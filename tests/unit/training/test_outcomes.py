from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from nlu.examples import Example, Span
from nlu.runtime import ReleaseUnderstander
from nlu.text import normalise
from nlu.types import Distribution, Entity, Score, Thresholds, Understanding, Vector
from retrieval.calibration import HitCalibration
from retrieval.index import FaqIndex
from retrieval.types import FaqEntry, FaqQuery, HitThresholds
from retrieval.vectors import Weights
from training.logged import Claim, Source
from training.outcomes import OpenedRelease, Trial, measure

ENTRIES = [
    FaqEntry("note.en", "note", "Yes.", "en"),
    FaqEntry("note.zh", "附言", "可以。", "zh"),
    FaqEntry("park.en", "park", "Behind.", "en"),
]
DIRECTIONS = {"note": 0, "附言": 0, "card": 0, "park": 1, "car": 1, "far": 2}


def vector(text: str) -> Vector:
    found = np.zeros(4, dtype=np.float32)
    found[DIRECTIONS.get(text.split("\n", maxsplit=1)[0], 3)] = 1.0
    return found


SCRIPT = {"order": ("order_status", 0.9, 0.1), "unsure": ("order_status", 0.4, 0.1), "rain": ("goodbye", 0.5, 0.9)}


class Scripted:
    """Reads each text as a script says: intent, its confidence, and the out-of-scope score."""

    def understand(self, texts: Sequence[str]) -> list[Understanding]:
        return [replace(self._read(normalise(text)), given=text) for text in texts]

    def _read(self, text: str) -> Understanding:
        label, confidence, oos = SCRIPT.get(text, ("goodbye", 0.8, 0.2))
        heads = {"intent": Distribution((Score(label, confidence),)), "emotion": Distribution((Score("joy", 0.4),))}
        thresholds = Thresholds(intent_accept=0.6, oos_reject=0.5)
        thing = text.find("lamp")
        found = (Entity("product", thing, thing + 4, "lamp", "lamp"),) if thing >= 0 else ()
        return Understanding(text, "en", heads, found, oos, vector(text), "r", thresholds)


def embed(texts: list[str]) -> Vector:
    return np.stack([vector(text) for text in texts])


CALIBRATION = HitCalibration(-5.0, 10.0, 0.0, HitThresholds(accept=0.7, suggest=0.3), Weights(0.0, 0.0))
RELEASE = OpenedRelease(
    cast("ReleaseUnderstander", Scripted()), FaqIndex.build(ENTRIES, embed, calibration=CALIBRATION)
)


@pytest.mark.parametrize(
    ("text", "head", "label", "followed"),
    [
        ("order", "intent", "order_status", True),
        ("ｏｒｄｅｒ", "intent", "order_status", True),
        ("order", "intent", "goodbye", False),
        ("unsure", "intent", "order_status", False),
        ("rain", "intent", "goodbye", False),
        ("rain", "intent", "oos", True),
        ("order", "intent", "oos", False),
        ("rain", "emotion", "joy", True),
        ("rain", "emotion", "anger", False),
        ("rain", "topic", "weather", False),
        ("card", "faq", "note.en", True),
        ("card", "faq", "note.zh", True),
        ("card", "faq", "park.en", False),
        ("far", "faq", "park.en", False),
        ("card", "faq", "gone.en", False),
    ],
)
def test_whether_a_correction_is_followed(text: str, head: str, label: str, followed: bool) -> None:
    trial = Trial((), (), (Claim(1, text, "en", head, label, Source.CORRECTION),))
    assert measure(RELEASE, trial).corrected == [followed]


def test_measures_each_head_over_its_own_in_scope_texts() -> None:
    test = [
        Example("order", {"intent": "order_status"}),
        Example("rain", {"intent": "oos"}),
        Example("unsure", {"intent": "goodbye", "emotion": "joy"}),
        Example("so long", {"topic": "weather"}),
    ]
    queries = [FaqQuery("card", ("note.en",)), FaqQuery("car", ("note.en",))]
    trial = Trial(test, queries)
    found = measure(RELEASE, trial)
    assert trial.truth == {"intent": ["order_status", "goodbye"], "emotion": ["joy"], "topic": ["weather"]}
    assert dict(found.heads) == {"intent": [True, False], "emotion": [True], "topic": [False]}
    assert found.faq == [True, False]
    assert found.oos_auroc == 1.0


def test_tells_which_texts_are_accepted_and_which_are_kept_in_scope() -> None:
    said = {"order": "order_status", "unsure": "order_status", "rain": "goodbye", "so long": "goodbye", "hm": "invoice"}
    test = [Example(text, {"intent": label}) for text, label in said.items()]
    found = measure(RELEASE, Trial([*test, Example("order", {"intent": "oos"})]))
    assert found.heads["intent"] == [True, True, True, True, False]
    assert found.kept == [True, True, False, True, False]
    assert found.accepted == [True, False, False, True, True]


def test_tells_in_which_texts_just_the_right_entities_are_found() -> None:
    test = [
        Example("a\u3000\u3000lamp", {}, (Span(3, 7, "product"),)),
        Example("a lamp", {}, (Span(2, 6, "order_number"),)),
        Example("the lamp", {}, ()),
        Example("a chair", {}, ()),
        Example("another lamp"),
    ]
    assert measure(RELEASE, Trial(test)).entities == [True, False, False, True]


def test_without_entries_no_query_is_answered() -> None:
    empty = OpenedRelease(RELEASE.understander, FaqIndex.build([], embed))
    found: Any = measure(empty, Trial((), [FaqQuery("card", ("note.en",))]))
    assert (found.faq, found.heads, found.oos_auroc, found.corrected) == ([False], {}, None, [])
