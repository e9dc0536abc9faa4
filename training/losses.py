"""What training minimises for a batch, term by term."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from nlu.model import Reading
from training.config import TrainingConfig
from training.datasets import NO_LABEL, Batch

_SOFTNESS = 2.0
"""Temperature of a teacher's probabilities (Hinton et al. 2015, section 2)."""
_CONTRAST = 0.1
"""Temperature of the supervised contrastive loss."""
_SHARPNESS = 20.0
"""What cosines are multiplied by in the ranking loss."""
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Objective:
    """The joint loss of a run.

    Attributes:
        config: the weights of the terms.
        anchors: the unit vectors that those of the texts are held near, shape `(n, width)`.
        teaching: for each head what teachers make of the texts, as log-probabilities of shape `(n, labels)`.
        balance: for each head how much its labels weigh, shape `(labels,)`; those of heads left out weigh 1.
    """

    config: TrainingConfig
    anchors: Tensor
    teaching: Mapping[str, Tensor] = field(default_factory=dict)
    balance: Mapping[str, Tensor] = field(default_factory=dict)

    def __call__(self, reading: Reading, batch: Batch) -> Tensor:
        """The loss of a batch without the terms that need a second pass."""
        loss = self.anchor(reading, batch)
        for head, logits in reading.logits.items():
            loss = loss + self._head(head, logits, batch)
            if self.config.contrastive:
                loss = loss + self.config.contrastive * contrastive_loss(reading.unit_vector, batch.labels[head])
        if reading.tags is not None and (batch.tags != NO_LABEL).any():
            tag_loss = functional.cross_entropy(reading.tags.flatten(0, 1), batch.tags.flatten(), ignore_index=NO_LABEL)
            loss = loss + self.config.entity_weight * tag_loss
        return loss

    def anchor(self, reading: Reading, batch: Batch) -> Tensor:
        """How far the vectors have left the ones that they are held near."""
        return self.config.anchor * (1.0 - (reading.unit_vector * self.anchors[batch.rows]).sum(-1)).mean()

    def _head(self, head: str, logits: Tensor, batch: Batch) -> Tensor:
        """Cross entropy with the labels, and with the teachers' view; a missing label adds nothing."""
        labels = batch.labels[head]
        known = labels != NO_LABEL
        share = self.config.distil if head in self.teaching else 0.0
        loss = logits.new_zeros(())
        if known.any() and share < 1.0:
            losses = functional.cross_entropy(
                logits[known], labels[known], label_smoothing=self.config.label_smoothing, reduction="none"
            )
            weights = batch.weights[known]
            if head in self.balance:
                weights = weights * self.balance[head][labels[known]]
            loss = (1.0 - share) * (losses * weights).sum() / len(labels)
        if share:
            taught = (self.teaching[head][batch.rows] / _SOFTNESS).log_softmax(-1)
            learnt = (logits / _SOFTNESS).log_softmax(-1)
            distance = functional.kl_div(learnt, taught, log_target=True, reduction="batchmean")
            loss = loss + share * _SOFTNESS**2 * distance
        return loss


def balanced_weights(labels: NDArray[np.int64], balance: float, size: int) -> Tensor:
    """How much each label weighs, so that rare ones are not outvoted.

    Args:
        labels: one for each text; those without one do not count.
        balance: 0 for all weights alike, 1 for labels that weigh the same in all.
        size: how many labels there are.

    Returns:
        Weights, shape `(size,)`; over the texts their mean is 1.
    """
    counts = np.bincount(labels[labels != NO_LABEL], minlength=size)
    weights = np.maximum(counts, 1).astype(np.float32) ** -balance
    weights *= counts.sum() / max((weights * counts).sum(), _TINY)
    return torch.from_numpy(weights)


def divergence(first: Reading, second: Reading) -> Tensor:
    """How much two passes over the same texts differ through dropout alone (Wu et al. 2021, R-Drop, equation 2).

    Args:
        first: one pass.
        second: the other.

    Returns:
        The mean over heads of the symmetric Kullback-Leibler divergence of their probabilities; 0 without heads.
    """
    total = first.vector.new_zeros(())
    for head, logits in first.logits.items():
        left, right = logits.log_softmax(-1), second.logits[head].log_softmax(-1)
        for one, other in ((left, right), (right, left)):
            total = total + 0.5 * functional.kl_div(one, other, log_target=True, reduction="batchmean")
    return total / max(1, len(first.logits))


def ranking_loss(vectors: Tensor) -> Tensor:
    """Draws the two texts of each pair together, and apart from the texts of the other pairs.

    InfoNCE with in-batch negatives, as sentence-transformers has it (Henderson et al. 2017, section 4.4).

    Args:
        vectors: of the first texts, then of the second texts in the same order, shape `(2 * pairs, width)`.

    Returns:
        The mean over the first texts.
    """
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    ranking = MultipleNegativesRankingLoss(model=nn.Identity(), scale=_SHARPNESS)
    loss: Tensor = ranking.compute_loss_from_embeddings(list(vectors.chunk(2)), torch.empty(0))
    return loss


def contrastive_loss(vectors: Tensor, labels: Tensor) -> Tensor:
    """Draws texts of one label together and others apart (Khosla et al. 2020, supervised contrastive learning, eq. 2).

    Args:
        vectors: unit-length, shape `(batch, width)`.
        labels: shape `(batch,)`.

    Returns:
        The mean over the texts that share their label with another one of the batch; 0 without any.
    """
    known = labels != NO_LABEL
    vectors, labels = vectors[known], labels[known]
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    same = (labels[:, None] == labels[None]) & ~itself
    paired = same.any(1)
    if not paired.any():
        return vectors.new_zeros(())
    likeness = (vectors @ vectors.T / _CONTRAST).masked_fill(itself, -torch.inf)
    shares = likeness.log_softmax(1).masked_fill(~same, 0.0)
    found: Tensor = -(shares.sum(1)[paired] / same.sum(1)[paired]).mean()
    return found


def shifted(hidden: Tensor, strength: float) -> Tensor:
    """Moves states a little to where the loss grows most (Miyato et al. 2017, equation 5: the fast gradient method).

    Args:
        hidden: states before the first trained layer, with their gradient, shape `(batch, tokens, width)`.
        strength: the length of the move as a share of the states' own length.

    Returns:
        The moved states, of the same shape, without gradient.
    """
    states, gradient = hidden.detach(), hidden.grad
    assert gradient is not None  # noqa: S101 - the caller has just computed it
    length = states.norm(dim=(1, 2), keepdim=True)
    moved: Tensor = states + strength * length * gradient / gradient.norm(dim=(1, 2), keepdim=True).clamp(min=1e-12)
    return moved
