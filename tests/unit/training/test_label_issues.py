from __future__ import annotations

import sys

import numpy as np
import pytest

from nlu.examples import Example
from nlu.types import InputError
from training import label_issues
from training.datasets import Features
from training.label_issues import doubt_labels, find_label_issues

WRONG = {7: ("pay", "move"), 120: ("move", "stay"), 199: ("stay", "pay")}


def sample() -> tuple[np.ndarray, list[str | None]]:
    """Texts around three directions, three of them labelled wrongly, and some without a label."""
    random = np.random.default_rng(0)
    names = ("move", "pay", "stay")
    truth = [names[i % 3] for i in range(240)]
    for row, (_, right) in WRONG.items():
        truth[row] = right
    directions = dict(zip(names, np.eye(8, dtype=np.float32), strict=False))
    vectors = np.array([directions[name] for name in truth]) + random.normal(scale=0.15, size=(240, 8))
    labels: list[str | None] = [WRONG[row][0] if row in WRONG else name for row, name in enumerate(truth)]
    for row in range(200, 240, 4):
        labels[row] = None
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), labels


def test_wrong_labels_are_found_and_the_right_ones_suggested() -> None:
    found = find_label_issues(*sample())
    assert {issue.row: (issue.given, issue.suggested) for issue in found} == WRONG
    assert len(find_label_issues(*sample(), most=2)) == 2


def test_few_texts_and_a_single_label_give_none() -> None:
    vectors, labels = sample()
    assert find_label_issues(vectors[:40], labels[:40]) == []
    assert find_label_issues(vectors, ["pay"] * 240) == []


def test_without_the_library_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)
    assert find_label_issues(*sample()) == []


def test_doubted_labels_weigh_less() -> None:
    vectors, labels = sample()
    taught = [Example(str(row), labels={"intent": label} if label else {}) for row, label in enumerate(labels)]
    learnt = [Features((1, 2), {}, None, weight=2.0)] * 242
    vectors = np.concatenate([vectors, vectors[:2]])
    weights = [item.weight for item in doubt_labels(learnt, taught, vectors, 0.25)]
    assert weights == [0.5 if row in WRONG else 2.0 for row in range(242)]


def test_nothing_can_be_doubted_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_issues, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"frontdesk\[train\]"):
        doubt_labels([], [], np.zeros((0, 8), np.float32), 0.5)
