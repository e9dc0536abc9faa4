"""Parameter-efficient training: a few new parameters learn in each layer, and are merged into the weights at the end.

What serves is an ordinary encoder, as fast as any other. Methods that cannot be merged, such as prefix tuning, would
slow every message down and are left out.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, cast

from transformers import BertModel

from nlu.model import Reader
from nlu.types import InputError

Method = Literal["full", "lora", "adalora", "ia3"]
AfterStep = Callable[[int], None]
"""Told the number of each step, from 0, once it is done."""

_RANK = 16
_LINEARS = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
)


@contextmanager
def adapters(reader: Reader, method: Method, frozen_layers: int, steps: int) -> Iterator[AfterStep]:
    """Puts adapters into the layers that learn; at the end of the block they are merged into the weights.

    Args:
        reader: the model, changed in place.
        method: `lora` (Hu et al. 2021), `adalora` (Zhang et al. 2023), which shares ranks out among the layers while it
            learns and begins anew with that where a run was interrupted, or `ia3` (Liu et al. 2022); `full` changes
            nothing.
        frozen_layers: how many of the lowest layers get none.
        steps: how many there will be.

    Yields:
        What to call after each step; within the block the adapters and the heads alone are to be trained.

    Raises:
        InputError: the library for it is not installed.
    """
    if method == "full":
        yield _nothing
        return
    try:
        from peft import AdaLoraConfig, IA3Config, LoraConfig, PeftConfig, get_peft_model
    except ImportError as error:
        raise InputError(
            f"method {method!r} needs the package peft. Install it with `pip install 'frontdesk[train]'`."
        ) from error
    layers = len(reader.encoder.encoder.layer)
    names = [f"encoder.layer.{n}.{part}" for n in range(frozen_layers, layers) for part in _LINEARS]
    config: PeftConfig
    if method == "lora":
        config = LoraConfig(r=_RANK, lora_alpha=2 * _RANK, lora_dropout=0.05, target_modules=names)
    elif method == "adalora":
        config = AdaLoraConfig(
            init_r=_RANK + _RANK // 2,
            target_r=_RANK,
            lora_alpha=2 * _RANK,
            lora_dropout=0.05,
            target_modules=names,
            tinit=steps // 10,
            tfinal=steps // 3,
            deltaT=max(1, steps // 100),
            total_step=steps,
        )
    else:
        inner = [name for name in names if name.endswith("output.dense") and "attention" not in name]
        config = IA3Config(target_modules=names, feedforward_modules=inner)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # The library asks transformers by a name that has changed.
        model = get_peft_model(reader.encoder, config)
    yield cast("AfterStep", model.base_model.update_and_allocate) if method == "adalora" else _nothing
    reader.encoder = cast("BertModel", model.merge_and_unload())


def _nothing(_: int) -> None:
    """What most methods do after a step."""
