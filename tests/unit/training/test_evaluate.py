from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nlu.examples import Example, Span
from nlu.text import normalise
from nlu.types import Distribution, Entity, Score, Thresholds, Understanding
from training.evaluate import evaluate, oos_metrics


def read(intent: str, oos: float) -> Understanding:
    heads = {"intent": Distribution((Score(intent, 0.9),))}
    return Understanding("t", "en", heads, (), oos, np.zeros(2, dtype=np.float32), "r", Thresholds(oos_reject=0.5))


OUTSIDE = [Example("a", {"intent": "oos"}), Example("b", {"intent": "oos"})]
INSIDE = [Example("c", {"intent": "status"}), Example("d", {"intent": "status"})]


def test_out_of_scope_texts_among_others() -> None:
    readings = [read("status", 0.9), read("status", 0.4), read("status", 0.1), read("status", 0.6)]
    found = oos_metrics([*OUTSIDE, *INSIDE], readings)
    assert found == pytest.approx(
        {"auroc": 0.75, "recall": 0.5, "in_scope_accuracy": 0.5, "coverage": 0.5, "recall@0.955": 0.5}
    )


def test_out_of_scope_texts_alone_have_a_recall() -> None:
    assert oos_metrics(OUTSIDE, [read("status", 0.9), read("status", 0.4)]) == {"recall": 0.5}


def test_without_out_of_scope_texts_there_is_nothing_to_tell() -> None:
    assert oos_metrics(INSIDE, [read("status", 0.1)] * 2) == {}


class LampReader:
    """Finds lamps in the texts that serving would read."""

    manifest = SimpleNamespace(heads=())

    def understand(self, texts: Sequence[str]) -> list[Understanding]:
        found = []
        for text in texts:
            start = normalise(text).find("lamp")
            entities = (Entity("product", start, start + 4, "lamp", "lamp"),) if start >= 0 else ()
            vector = np.zeros(2, dtype=np.float32)
            found.append(Understanding(normalise(text), "en", {}, entities, 0.0, vector, "r", given=text))
        return found


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [("a lamp", 2, 6), ("a\u3000\u3000ｌａｍｐ", 3, 7), ("\u200ba ❤\ufe0f\u200d lamp!", 7, 11), ("ａ  lamp", 3, 7)],
)
def test_entities_are_measured_where_they_were_given_and_read_as_in_serving(text: str, start: int, end: int) -> None:
    reader: Any = LampReader()
    found = evaluate(reader, [Example(text, {}, (Span(start, end, "product"),))], timed=False)
    assert found.entities == {"f1": 1.0, "precision": 1.0, "recall": 1.0, "token_f1": 1.0}
