"""What a run trains and how fast: parameters, their groups, and the rates of each step."""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import nn

from nlu.model import Reader
from training.config import TrainingConfig

_LAYER = re.compile(r"\.layer\.(\d+)\.")


def frozen_layers(reader: Reader, config: TrainingConfig) -> int:
    """How many of the lowest layers stay as they are."""
    return max(0, len(reader.encoder.encoder.layer) - config.trained_layers)


def trained_parameters(reader: Reader, config: TrainingConfig) -> dict[str, nn.Parameter]:
    """Freezes word embeddings and the lowest layers.

    Args:
        reader: the model.
        config: says how many layers learn.

    Returns:
        What is left to train, by name.
    """
    reader.encoder.embeddings.requires_grad_(False)
    for layer in reader.encoder.encoder.layer[: frozen_layers(reader, config)]:
        layer.requires_grad_(False)
    return {name: parameter for name, parameter in reader.named_parameters() if parameter.requires_grad}


def parameter_groups(trained: dict[str, nn.Parameter], config: TrainingConfig) -> list[dict[str, Any]]:
    """Parameter groups: matrices decay, the rest does not; heads, and layers where that is set, have their own rates.

    Lower layers hold what is more general, so they may move less (Howard & Ruder 2018, discriminative fine-tuning).

    Args:
        trained: parameters by name.
        config: rates and decay.

    Returns:
        Groups for an optimizer, each with its highest rate as `peak`.
    """
    groups: dict[tuple[float, float], dict[str, Any]] = {}
    top = max((_layer_of(name) for name in trained), default=0)
    for name, parameter in trained.items():
        peak = config.learning_rate * config.layer_decay ** (top - _layer_of(name))
        if name.startswith(("heads.", "tagger.")):
            peak = config.head_learning_rate
        decay = config.weight_decay if parameter.ndim > 1 else 0.0
        group = groups.setdefault((peak, decay), {"params": [], "peak": peak, "weight_decay": decay})
        group["params"].append(parameter)
    return list(groups.values())


def _layer_of(parameter: str) -> int:
    """The number of the layer that a parameter belongs to by its name, from 0; 0 for those of no layer."""
    found = _LAYER.search(parameter)
    return int(found[1]) if found else 0


def set_rates(optimizer: torch.optim.Optimizer, step: int, steps: int, config: TrainingConfig) -> None:
    """Sets the rates of a step: linear warm-up, then linear decay to a twentieth.

    Args:
        optimizer: made with `parameter_groups`.
        step: from 0.
        steps: in all.
        config: says how long the warm-up is.
    """
    rise = max(1, int(steps * config.warmup))
    factor = (step + 1) / rise if step < rise else 1.0 - 0.95 * (step - rise) / max(1, steps - rise)
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * factor
