from __future__ import annotations

import numpy as np

from training.datasets import NO_LABEL, Features
from training.transitions import tag_transitions


def tagged(*tags: int) -> Features:
    return Features([0] * len(tags), {}, list(tags))


def test_what_follows_more_often_than_by_chance_is_positive() -> None:
    texts = [tagged(NO_LABEL, 0, 1, 2, 0, NO_LABEL)] * 20 + [tagged(0, 0, 0)] * 20
    found = tag_transitions(texts, 3)
    assert found.shape == (4, 3)
    assert found[1, 2] > 0 > found[1, 0]
    assert found[3, 0] > 0 > found[3, 2]


def test_without_tagged_texts_nothing_is_preferred() -> None:
    assert np.allclose(tag_transitions([Features([1, 2], {}, None)], 3), 0.0)
