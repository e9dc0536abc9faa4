"""Linear probing before fine-tuning: the heads begin as the best linear readers of the pretrained vectors.

Heads that start at random send the encoder large, meaningless gradients first, which distorts the vectors that
retrieval needs and costs epochs. Heads that are fitted to the encoder as it is start from what it knows already (Kumar
et al. 2022, "Fine-tuning can distort pretrained features and underperform out-of-distribution", section 4).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from nlu.model import Reader, Reading
from training.datasets import NO_LABEL, Features, label_array
from training.reading import read_all

_ITERATIONS = 100
_HEAD_PENALTY = 0.01
"""Mild enough to read well, strong enough to leave the encoder something to learn: about one text in twenty."""
_TOKEN_PENALTY = 0.001
_ADAPTING = 0.1
"""Share of these penalties that holds heads where they are: corrections are few, and must be learnt."""
_TINY = 1e-6
_MOST_TOKENS = 100_000


def fit_heads(
    reader: Reader,
    features: Sequence[Features],
    pad_id: int,
    *,
    adapt: bool = False,
    only: Collection[str] | None = None,
) -> NDArray[np.float32]:
    """Reads texts once and fits every head to what the encoder makes of them, in place.

    Args:
        reader: the model.
        features: the texts; those without a label are only read.
        pad_id: the padding token.
        adapt: True moves the heads from where they are no further than the texts ask for.
        only: the heads to fit, the token head being `entities`; None for all.

    Returns:
        The unit-length vectors of the texts, shape `(n, width)`.
    """
    probe = Probe(reader, features)
    vectors = read_all(reader, features, pad_id, see=probe.see).vectors
    probe.fit(adapt=adapt, only=only)
    return vectors


class Probe:
    """Collects what an encoder makes of texts, then fits the heads to it; the encoder does not move.

    Args:
        reader: the model whose heads are set in place.
        features: the texts with labels; a head that none of them has a label for stays as it is.
    """

    def __init__(self, reader: Reader, features: Sequence[Features]) -> None:
        self._reader, self._features = reader, features
        width = int(reader.encoder.config.hidden_size)
        self._vectors = torch.zeros(len(features), width)
        self._tokens: list[Tensor] = []
        self._tags: list[Tensor] = []
        self._room = _MOST_TOKENS if reader.tagger is not None else 0

    def see(self, rows: Sequence[int], reading: Reading) -> None:
        """Takes one batch.

        Args:
            rows: which texts were read.
            reading: of these texts.
        """
        self._vectors[list(rows)] = reading.vector.float().cpu()
        for place, row in enumerate(rows):
            tags = torch.tensor(self._features[row].tags or ())
            kept = (tags != NO_LABEL).nonzero().flatten()[: self._room]
            if len(kept):
                self._tokens.append(reading.hidden[place, kept].float().cpu())
                self._tags.append(tags[kept])
                self._room -= len(kept)

    def fit(self, *, adapt: bool = False, only: Collection[str] | None = None) -> None:
        """Sets the heads, the token head included.

        Args:
            adapt: True draws the weights towards what they are (Chelba & Acero 2004, "Adaptation of maximum entropy
                capitalizer: little data can help a lot"), False towards zero.
            only: the heads to set, the token head being `entities`; None for all.
        """
        share = _ADAPTING if adapt else 1.0
        weights = torch.tensor([item.weight for item in self._features], dtype=torch.float32)
        for name in self._reader.heads:
            labels = torch.from_numpy(label_array(self._features, name))
            known = labels != NO_LABEL
            if known.any() and (only is None or name in only):
                head = self._reader.head(name)
                _fit_head(head, self._vectors[known], labels[known], weights[known], share * _HEAD_PENALTY, adapt=adapt)
        if self._reader.tagger is not None and self._tokens and (only is None or "entities" in only):
            tags = torch.cat(self._tags)
            every = torch.ones(len(tags))
            _fit_head(self._reader.tagger, torch.cat(self._tokens), tags, every, share * _TOKEN_PENALTY, adapt=adapt)


def _fit_head(
    head: torch.nn.Linear, vectors: Tensor, labels: Tensor, weights: Tensor, penalty: float, *, adapt: bool
) -> None:
    """Multinomial logistic regression on standardised vectors, by L-BFGS; the scaling goes into the head's weights."""
    middle, spread = vectors.mean(0), vectors.std(0, correction=0).clamp(min=_TINY)
    scaled = (vectors - middle) / spread
    origin = torch.zeros_like(head.weight)
    bias = torch.zeros_like(head.bias)
    if adapt:
        origin = head.weight.detach() * spread
        bias = head.bias.detach() + head.weight.detach() @ middle
    weight = origin.clone().requires_grad_()
    bias.requires_grad_()
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=_ITERATIONS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        logits = functional.linear(scaled, weight, bias)
        losses = functional.cross_entropy(logits, labels, reduction="none")
        total = (losses * weights).sum() / weights.sum() + penalty * (weight - origin).square().sum()
        torch.autograd.backward(total)
        return total

    cast("Callable[[Callable[[], Tensor]], Tensor]", optimizer.step)(loss)
    with torch.no_grad():
        head.weight.copy_(weight / spread)
        head.bias.copy_(bias - head.weight @ middle)
