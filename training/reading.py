"""What a model reads in many texts: the whole pass for measuring, the frozen lower layers for training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nlu.engine import Engine
from nlu.model import Reader, Reading
from nlu.processor import processor_flags
from training.datasets import Batch, Features, collate, sorted_batches

_MOST_BYTES = 2 << 30
"""Memory for the output of frozen layers."""


@dataclass(frozen=True, slots=True)
class Readings:
    """What a model reads in many texts, in their order.

    Attributes:
        vectors: unit-length sentence vectors, shape `(n, width)`.
        logits: for each head, shape `(n, labels)`.
        tags: predicted tag indices of each text's tokens; empty without a token head.
    """

    vectors: NDArray[np.float32]
    logits: dict[str, NDArray[np.float32]]
    tags: list[NDArray[np.int64]]


def autocast(device: torch.device) -> torch.autocast:
    """bf16 where the processor computes it natively, otherwise full precision."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=has_fast_bf16(device))


def has_fast_bf16(device: torch.device) -> bool:
    """Whether bf16 is computed in hardware: AMX or AVX-512 BF16 on a CPU, Ampere or newer on CUDA."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return not processor_flags().isdisjoint({"amx_bf16", "avx512_bf16"})


@torch.inference_mode()
def read_all(
    reader: Reader,
    features: Sequence[Features],
    pad_id: int,
    batch_size: int = 64,
    see: Callable[[list[int], Reading], None] = lambda *_: None,
) -> Readings:
    """Reads texts without training.

    Args:
        reader: the model.
        features: the texts.
        pad_id: the padding token.
        batch_size: texts a batch.
        see: told the rows and the reading of each batch.

    Returns:
        Vectors, logits and tags.
    """
    reader.eval()
    device = next(reader.parameters()).device
    width = int(reader.encoder.config.hidden_size)
    vectors = np.zeros((len(features), width), dtype=np.float32)
    logits = {name: np.zeros((len(features), size), dtype=np.float32) for name, size in reader.sizes.items()}
    tags: list[NDArray[np.int64]] = [np.zeros(0, dtype=np.int64)] * (len(features) if reader.tagger else 0)
    for rows in sorted_batches([len(item.ids) for item in features], batch_size):
        batch = collate(features, rows, (), pad_id)
        with autocast(device):
            reading = reader(batch.ids.to(device), batch.mask.to(device))
        see(rows, reading)
        vectors[rows] = reading.unit_vector.float().cpu().numpy()
        for name, values in reading.logits.items():
            logits[name][rows] = values.float().cpu().numpy()
        if reading.tags is not None:
            best = reading.tags.argmax(-1).cpu().numpy()
            for place, row in enumerate(rows):
                tags[row] = best[place, : len(features[row].ids)]
    return Readings(vectors, logits, tags)


def read_with(engine: Engine, features: Sequence[Features], pad_id: int, batch_size: int = 64) -> Readings:
    """Reads texts with what serves a release, which may round otherwise than the model in training does.

    Args:
        engine: runs the model.
        features: the texts.
        pad_id: the padding token.
        batch_size: texts a batch.

    Returns:
        Vectors, logits and tags.
    """
    vectors = np.zeros((len(features), engine.width), dtype=np.float32)
    logits: dict[str, NDArray[np.float32]] = {}
    tags: list[NDArray[np.int64]] = []
    for rows in sorted_batches([len(item.ids) for item in features], batch_size):
        batch = collate(features, rows, (), pad_id)
        found = engine.run(batch.ids.numpy(), batch.mask.long().numpy())
        vectors[rows] = found.vectors
        for name, values in found.logits.items():
            logits.setdefault(name, np.zeros((len(features), values.shape[1]), dtype=np.float32))[rows] = values
        if found.tags is not None:
            tags = tags or [np.zeros(0, dtype=np.int64)] * len(features)
            for place, row in enumerate(rows):
                tags[row] = found.tags[place, : len(features[row].ids)].argmax(-1)
    return Readings(vectors, logits, tags)


class LowerLayers:
    """The output of the frozen lowest layers, computed once a text and kept in half precision.

    Args:
        reader: the model before training.
        features: the texts; where their output would take more than `most_bytes`, it is computed anew each time.
        depth: how many layers are frozen; with 0 embeddings are looked up each time.
        pad_id: the padding token.
        most_bytes: memory for the output of all texts.
    """

    def __init__(
        self, reader: Reader, features: Sequence[Features], depth: int, pad_id: int, most_bytes: int = _MOST_BYTES
    ) -> None:
        self.depth = depth
        self.states: list[Tensor] = []
        tokens = sum(len(item.ids) for item in features)
        if depth and 2 * tokens * int(reader.encoder.config.hidden_size) <= most_bytes:
            self.states = [torch.empty(0)] * len(features)
            reader.eval()
            for rows in sorted_batches([len(item.ids) for item in features], 64):
                batch = collate(features, rows, (), pad_id).to(reader.encoder.device)
                hidden = self._run(reader, batch).half().cpu()
                for place, row in enumerate(rows):
                    self.states[row] = hidden[place, : len(features[row].ids)].clone()

    def __call__(self, reader: Reader, batch: Batch) -> Tensor:
        """States before the first trained layer, shape `(batch, tokens, width)`."""
        if not self.depth:
            return reader.embed(batch.ids)
        if not self.states:
            return self._run(reader, batch)
        states = nn.utils.rnn.pad_sequence([self.states[row] for row in batch.rows], batch_first=True)
        return states.to(batch.ids.device).float()

    @torch.no_grad()
    def _run(self, reader: Reader, batch: Batch) -> Tensor:
        """Runs the frozen layers, without dropout."""
        training = reader.training
        reader.eval()
        with autocast(batch.ids.device):
            hidden = reader.run_layers(reader.embed(batch.ids), batch.mask, 0, self.depth)
        reader.train(training)
        return hidden.float()


def read_upper(reader: Reader, hidden: Tensor, batch: Batch, depth: int) -> Reading:
    """A forward pass through the layers that learn.

    Args:
        reader: the model.
        hidden: states before the first of these layers, shape `(batch, tokens, width)`.
        batch: the texts.
        depth: how many layers are frozen.

    Returns:
        What the model reads.
    """
    with autocast(hidden.device):
        hidden = reader.run_layers(hidden, batch.mask, depth)
    return reader.read(hidden, batch.mask)
