"""One BERT encoder with one head for each label field, a token head for entities and a pooled sentence vector.

The vector that the heads read is the one that retrieval searches with: the mean of the last hidden states over the
tokens of the text (Reimers & Gurevych 2019, Sentence-BERT, section 3), so one forward pass serves both jobs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertModel


@dataclass(frozen=True, slots=True)
class Reading:
    """What one forward pass gives.

    Attributes:
        vector: mean-pooled last hidden state, not normalised, shape `(batch, width)`.
        logits: for each head, shape `(batch, labels)`.
        tags: logits of the token head, shape `(batch, tokens, tags)`, or None without entity types.
        hidden: last hidden states, which all of it was made from, shape `(batch, tokens, width)`.
    """

    vector: Tensor
    logits: dict[str, Tensor]
    tags: Tensor | None
    hidden: Tensor

    @property
    def unit_vector(self) -> Tensor:
        """The sentence vector at length 1, shape `(batch, width)`."""
        return functional.normalize(self.vector, dim=-1)


class Reader(nn.Module):
    """Encoder and heads.

    Args:
        encoder: a BERT without pooling layer; its parameters are used in place.
        heads: how many labels each head has.
        tags: how many tags the token head has; 0 for no token head.
        dropout: probability before each head.
    """

    def __init__(self, encoder: BertModel, heads: Mapping[str, int], tags: int = 0, dropout: float = 0.1) -> None:
        super().__init__()
        width = int(encoder.config.hidden_size)
        self.encoder = encoder
        self.sizes = dict(heads)
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.ModuleDict({name: nn.Linear(width, labels) for name, labels in heads.items()})
        self.tagger = nn.Linear(width, tags) if tags else None

    def head(self, name: str) -> nn.Linear:
        """One head by name."""
        return cast("nn.Linear", self.heads[name])

    def embed(self, ids: Tensor) -> Tensor:
        """Looks up token, position and type embeddings.

        Args:
            ids: token ids, shape `(batch, tokens)`.

        Returns:
            Hidden states before the first layer, shape `(batch, tokens, width)`.
        """
        return cast("Tensor", self.encoder.embeddings(input_ids=ids))

    def run_layers(self, hidden: Tensor, mask: Tensor, first: int = 0, last: int | None = None) -> Tensor:
        """Runs some of the encoder's layers.

        Args:
            hidden: states before layer `first`, shape `(batch, tokens, width)`.
            mask: True for real tokens, shape `(batch, tokens)`.
            first: the first layer to run, counted from 0.
            last: one past the last layer; None for all.

        Returns:
            States after the last of them, shape `(batch, tokens, width)`.
        """
        attend = mask[:, None, None, :].expand(-1, 1, mask.shape[1], -1)
        for layer in self.encoder.encoder.layer[first:last]:
            hidden = layer(hidden, attend)
        return hidden

    def pool(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """The sentence vector of each text, shape `(batch, width)`: the mean over its real tokens.

        Args:
            hidden: states after the last layer, shape `(batch, tokens, width)`.
            mask: True for real tokens, shape `(batch, tokens)`.

        Returns:
            The vectors, not normalised.
        """
        weights = mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * weights).sum(1) / weights.sum(1).clamp(min=1.0)

    def read(self, hidden: Tensor, mask: Tensor) -> Reading:
        """Pools last hidden states and applies the heads.

        Args:
            hidden: states after the last layer, shape `(batch, tokens, width)`.
            mask: True for real tokens, shape `(batch, tokens)`.

        Returns:
            The reading of each text.
        """
        # Heads cost nothing, and in bf16 their large weights would drown what tells close texts apart.
        with torch.autocast(hidden.device.type, enabled=False):
            hidden = hidden.float()
            vector = self.pool(hidden, mask)
            pooled = self.dropout(vector)
            logits = {name: head(pooled) for name, head in self.heads.items()}
            tags = self.tagger(self.dropout(hidden)) if self.tagger is not None else None
        return Reading(vector=vector, logits=logits, tags=tags, hidden=hidden)

    def forward(self, ids: Tensor, mask: Tensor) -> Reading:
        """Reads texts.

        Args:
            ids: token ids, shape `(batch, tokens)`.
            mask: True for real tokens, shape `(batch, tokens)`.

        Returns:
            The reading of each text.
        """
        return self.read(self.run_layers(self.embed(ids), mask), mask)
