from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from nlu.model import Reading
from training.config import TrainingConfig
from training.datasets import NO_LABEL, Batch
from training.losses import Objective, balanced_weights, contrastive_loss, divergence, shifted

CONFIG = TrainingConfig(encoder="none", anchor=0, label_smoothing=0)


def reading(logits: list[list[float]], vectors: list[list[float]] | None = None) -> Reading:
    rows = torch.tensor(vectors or [[1.0, 0.0]] * len(logits))
    return Reading(rows, {"intent": torch.tensor(logits)}, None, rows[:, None])


def batch(labels: list[int], weights: list[float] | None = None) -> Batch:
    rows = list(range(len(labels)))
    empty = torch.zeros(len(labels), 1, dtype=torch.long)
    tensor = torch.tensor(labels)
    shares = torch.tensor(weights or [1.0] * len(labels))
    return Batch(rows, empty, empty.bool(), {"intent": tensor}, torch.full_like(empty, NO_LABEL), shares)


def test_a_missing_label_adds_nothing_and_weights_count() -> None:
    objective = Objective(CONFIG, torch.tensor([[1.0, 0.0]] * 3))
    both = reading([[2.0, 0.0], [0.0, 1.0], [5.0, 0.0]])
    one = functional.cross_entropy(torch.tensor([[2.0, 0.0]]), torch.tensor([0]))
    other = functional.cross_entropy(torch.tensor([[0.0, 1.0]]), torch.tensor([0]))
    found = objective(both, batch([0, 0, NO_LABEL], [1.0, 2.0, 9.0]))
    assert found.item() == pytest.approx((one + 2 * other).item() / 3)


def test_a_label_weighs_as_the_balance_says() -> None:
    plain = Objective(CONFIG, torch.tensor([[1.0, 0.0]] * 2))
    weighed = Objective(CONFIG, plain.anchors, balance={"intent": torch.tensor([1.0, 3.0])})
    both = reading([[2.0, 0.0], [2.0, 0.0]])
    assert weighed(both, batch([0, 0])).item() == pytest.approx(plain(both, batch([0, 0])).item())
    assert weighed(both, batch([1, 1])).item() == pytest.approx(3 * plain(both, batch([1, 1])).item())


def test_balanced_labels_weigh_the_same_in_all() -> None:
    labels = np.array([0] * 8 + [1] * 2 + [NO_LABEL] * 5)
    assert balanced_weights(labels, 0.0, 3).tolist() == [1.0, 1.0, 1.0]
    often, rare, _ = balanced_weights(labels, 1.0, 3).tolist()
    assert 8 * often == pytest.approx(2 * rare)
    assert 8 * often + 2 * rare == pytest.approx(10)
    assert 1.0 < balanced_weights(labels, 0.5, 3)[1] < rare
    assert balanced_weights(np.array([NO_LABEL]), 1.0, 2).isfinite().all()


def test_vectors_are_held_near_their_anchors() -> None:
    objective = Objective(CONFIG.model_copy(update={"anchor": 2.0}), torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    away = reading([[0.0, 0.0]] * 2, [[3.0, 0.0], [5.0, 0.0]])
    assert objective.anchor(away, batch([0, 0])).item() == pytest.approx(2.0 * (0 + 1) / 2)


def test_a_learner_that_sees_as_its_teachers_loses_nothing() -> None:
    config = CONFIG.model_copy(update={"distil": 1.0})
    logits = [[2.0, 0.0, -1.0], [0.0, 1.0, 3.0]]
    teaching = {"intent": torch.tensor(logits).log_softmax(-1)}
    objective = Objective(config, torch.tensor([[1.0, 0.0]] * 2), teaching)
    assert objective(reading(logits), batch([1, NO_LABEL])).item() == pytest.approx(0, abs=1e-6)
    assert objective(reading([[0.0, 2.0, 0.0]] * 2), batch([1, NO_LABEL])).item() > 0.1


def test_two_passes_that_agree_do_not_diverge() -> None:
    left, right = reading([[1.0, 0.0]]), reading([[0.0, 1.0]])
    assert divergence(left, left).item() == pytest.approx(0, abs=1e-6)
    assert divergence(left, right).item() == pytest.approx(divergence(right, left).item())
    assert divergence(left, right).item() > 0.1


def test_texts_of_one_label_are_drawn_together() -> None:
    near = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.6, 0.8]])
    apart = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    labels = torch.tensor([0, 0, 1, 1, NO_LABEL])
    assert contrastive_loss(near, labels) < 0.01 < 5 < contrastive_loss(apart, labels)
    assert contrastive_loss(near, torch.tensor([0, 1, 2, 3, 4])).item() == 0


def test_states_move_up_the_loss_by_a_share_of_their_length() -> None:
    hidden = torch.tensor([[[3.0, 4.0]], [[0.0, 2.0]]], requires_grad=True)
    (hidden[..., 0] * 7).sum().backward()
    moved = shifted(hidden, 0.1)
    torch.testing.assert_close(moved, torch.tensor([[[3.5, 4.0]], [[0.2, 2.0]]]))
    assert not moved.requires_grad
