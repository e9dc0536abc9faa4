from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from nlu.types import Score
from training.logged import Claim, Clash, Source
from training.plausibility import KnownTexts, Suspicion, refusal, suspicions

WIDTH = 64
LABELS = ("order_status", "goodbye", "store_hours", "refund_status")
CENTRES = np.eye(WIDTH, dtype=np.float32)[: len(LABELS)]
SHARED = np.eye(WIDTH, dtype=np.float32)[-1]


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def around(label: str, count: int, seed: int, spread: float = 0.2) -> NDArray[np.float32]:
    """Vectors as a small E5 gives them: all alike to about 0.8, those of one label to about 0.9."""
    noise = np.random.default_rng(seed).normal(size=(count, WIDTH)).astype(np.float32)
    return unit(1.5 * SHARED + 0.75 * CENTRES[LABELS.index(label)] + spread * 0.3 * noise)


KNOWN = {
    "intent": KnownTexts(
        [f"{label} {i}" for label in LABELS for i in range(30)],
        [label for label in LABELS for _ in range(30)],
        np.concatenate([around(label, 30, seed) for seed, label in enumerate(LABELS)]),
    )
}


def claims(label: str, count: int) -> list[Claim]:
    return [Claim(i, f"text {i}", "en", "intent", label, Source.CORRECTION) for i in range(count)]


def doubted(label: str, vectors: NDArray[np.float32], read: Score) -> list[Suspicion]:
    said = claims(label, len(vectors))
    return suspicions(said, [c.label for c in said], vectors, [read] * len(said), KNOWN, ())


def test_order_questions_called_goodbye_are_refused() -> None:
    found = doubted("goodbye", around("order_status", 60, 99), Score("order_status", 0.97))
    assert len(found) >= 40
    assert "order_status (0.97)" in refusal(found, 60)


def test_random_labels_are_refused() -> None:
    rng = np.random.default_rng(5)
    found = []
    for i in range(60):
        true, said = rng.choice(LABELS, 2, replace=False)
        found += doubted(str(said), around(str(true), 1, 200 + i), Score(str(true), 0.95))
    assert refusal(found, 60)


def test_a_handful_near_identical_to_base_examples_is_refused() -> None:
    vectors = unit(KNOWN["intent"].vectors[:4] + 0.01)
    found = doubted("goodbye", vectors, Score("order_status", 0.6))
    assert len(found) == 4
    assert "cosine" in found[0].because
    assert refusal(found, 4)


def test_texts_that_the_release_was_unsure_of_are_believed() -> None:
    between = unit(around("order_status", 12, 7) + around("refund_status", 12, 8))
    assert not doubted("refund_status", between, Score("order_status", 0.55))


def test_a_confident_misreading_away_from_its_label_is_believed() -> None:
    assert not doubted("goodbye", around("goodbye", 12, 9), Score("order_status", 0.97))


def test_a_correction_that_agrees_with_the_reading_is_believed() -> None:
    assert not doubted("order_status", around("order_status", 12, 9), Score("order_status", 0.97))


def test_a_head_without_base_texts_raises_no_doubt() -> None:
    said = claims("goodbye", 1)
    assert not suspicions(said, ["goodbye"], around("order_status", 1, 1), [None], {}, ())


@pytest.mark.parametrize(("against", "doubts"), [("base", 1), ("test", 1), ("correction", 0)])
def test_word_for_word_contradictions(against: str, doubts: int) -> None:
    said = claims("store_hours", 1)
    clashes = [Clash(said[0], against, ("goodbye",))]
    found = suspicions(said, ["store_hours"], around("store_hours", 1, 3), [Score("store_hours", 0.9)], KNOWN, clashes)
    assert len(found) == doubts


@pytest.mark.parametrize(
    ("doubts", "corrections", "refused"),
    [(0, 0, False), (2, 2, False), (3, 9, False), (3, 8, True), (4, 12, False), (5, 12, True), (60, 60, True)],
)
def test_three_and_over_a_third_are_too_many(doubts: int, corrections: int, refused: bool) -> None:
    found = [Suspicion(claim, "so") for claim in claims("goodbye", doubts)]
    assert bool(refusal(found, corrections)) is refused
