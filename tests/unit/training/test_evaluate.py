from __future__ import annotations

import numpy as np
import pytest

from nlu.examples import Example
from nlu.types import Distribution, Score, Thresholds, Understanding
from training.evaluate import oos_metrics


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
