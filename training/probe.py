"""Linear probing before fine-tuning: the heads begin as the best linear readers of the pretrained vectors.

Heads that start at random send the encoder large, meaningless gradients first, which distorts the vectors that
retrieval needs and costs epochs. Heads that are fitted to the encoder as it is start from what it knows already (Kumar
et al. 2022, "Fine-tuning can distort pretrained features and underperform out-of-distribution", section 4).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from nlu.model import Reader, Reading
from training.datasets import NO_LABEL, Features, label_array

_ITERATIONS = 100
_HEAD_PENALTY = 0.01
"""Mild enough to read well, strong enough to leave the encoder something to learn: about one text in twenty."""
_TOKEN_PENALTY = 0.001
_TINY = 1e-6
_MOST_TOKENS = 100_000


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

    def fit(self) -> None:
        """Sets every head, the token head included."""
        weights = torch.tensor([item.weight for item in self._features], dtype=torch.float32)
        for name in self._reader.heads:
            labels = torch.from_numpy(label_array(self._features, name))
            known = labels != NO_LABEL
            if known.any():
                _fit_head(self._reader.head(name), self._vectors[known], labels[known], weights[known], _HEAD_PENALTY)
        if self._reader.tagger is not None and self._tokens:
            tags = torch.cat(self._tags)
            _fit_head(self._reader.tagger, torch.cat(self._tokens), tags, torch.ones(len(tags)), _TOKEN_PENALTY)


def _fit_head(head: torch.nn.Linear, vectors: Tensor, labels: Tensor, weights: Tensor, penalty: float) -> None:
    """Multinomial logistic regression on standardised vectors, by L-BFGS; the scaling goes into the head's weights."""
    middle, spread = vectors.mean(0), vectors.std(0, correction=0).clamp(min=_TINY)
    scaled = (vectors - middle) / spread
    weight = torch.zeros_like(head.weight, requires_grad=True)
    bias = torch.zeros_like(head.bias, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=_ITERATIONS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        logits = functional.linear(scaled, weight, bias)
        losses = functional.cross_entropy(logits, labels, reduction="none")
        total = (losses * weights).sum() / weights.sum() + penalty * weight.square().sum()
        torch.autograd.backward(total)
        return total

    cast("Callable[[Callable[[], Tensor]], Tensor]", optimizer.step)(loss)
    with torch.no_grad():
        head.weight.copy_(weight / spread)
        head.bias.copy_(bias - head.weight @ middle)
