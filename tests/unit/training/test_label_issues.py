from __future__ import annotations

import sys

import numpy as np
import pytest

from training.label_issues import find_label_issues

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
