"""The first part of a training with few examples: texts of one intent move together, and apart from others.

Pairs of texts tell more of a few examples than their labels do one by one (Tunstall et al. 2022, "Efficient few-shot
learning without prompts", section 3.1).
"""

from __future__ import annotations

import math
from collections import defaultdict
from random import Random

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nlu.model import Reader
from nlu.types import Vector
from training.config import TrainingConfig
from training.datasets import NO_LABEL, collate
from training.losses import Objective, ranking_loss
from training.optimizing import frozen_layers, parameter_groups, set_rates, trained_parameters
from training.prepare import Prepared
from training.reading import LowerLayers, read_upper

_PAIRS = 32
"""Pairs a step at most."""


def draw_together(
    reader: Reader, prepared: Prepared, config: TrainingConfig, anchors: Vector, device: torch.device
) -> None:
    """Moves the encoder in place; the heads stay as they are. Without two intents of two texts nothing is done.

    Args:
        reader: the model.
        prepared: what to learn from; texts that are out of scope have nothing in common and are left out.
        config: `contrastive_first` says how many passes.
        anchors: unit vectors that those of the texts are held near, shape `(n, width)`.
        device: where to compute.
    """
    groups = _intents(prepared.in_scope, prepared.in_scope_intents)
    if len(groups) < 2:
        return
    reader.to(device)
    trained = trained_parameters(reader, config)
    optimizer = torch.optim.AdamW(parameter_groups(trained, config), fused=True)
    lower = LowerLayers(reader, prepared.learnt, frozen_layers(reader, config), prepared.pad_id)
    objective = Objective(config, torch.from_numpy(anchors).to(device))
    pairs = min(_PAIRS, len(groups))
    steps = math.ceil(config.contrastive_first * sum(map(len, groups)) / (2 * pairs))
    for step in range(steps):
        torch.manual_seed(config.seed * 1_000_003 + step)
        reader.train()
        set_rates(optimizer, step, steps, config)
        rows = _draw(groups, pairs, Random(f"{config.seed}-together-{step}"))
        batch = collate(prepared.learnt, rows, (), prepared.pad_id).to(device)
        reading = read_upper(reader, lower(reader, batch), batch, lower.depth)
        loss = ranking_loss(reading.unit_vector) + objective.anchor(reading, batch)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(trained.values(), 1.0)
        optimizer.step()
    reader.to("cpu").eval()


def _intents(rows: list[int], intents: NDArray[np.int64]) -> list[list[int]]:
    """The rows of each intent that has at least two."""
    groups: dict[int, list[int]] = defaultdict(list)
    for row, intent in zip(rows, intents.tolist(), strict=True):
        if intent != NO_LABEL:
            groups[intent].append(row)
    return [group for group in groups.values() if len(group) > 1]


def _draw(groups: list[list[int]], pairs: int, rng: Random) -> list[int]:
    """Rows of the first texts of some pairs, each of another group, then of their second texts."""
    drawn = [rng.sample(group, 2) for group in rng.sample(groups, pairs)]
    return [first for first, _ in drawn] + [second for _, second in drawn]
