"""Distillation: what trained releases make of the training texts, for a smaller or a better model to learn from.

One teacher makes a small model of a large one (Hinton et al. 2015); several make one model of an ensemble.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nlu.examples import Example
from nlu.manifest import read_manifest, verify
from nlu.model import Reader
from nlu.torch_engine import load_reader
from nlu.types import ReleaseError
from training.datasets import LabelSets, featurise
from training.reading import Readings, read_all


@dataclass(frozen=True, slots=True, eq=False)
class Lessons:
    """What teachers make of texts.

    Attributes:
        vectors: the mean of their vectors at length 1, shape `(n, width)`; None where their widths differ.
        logits: for each head log-probabilities, the mean of theirs, shape `(n, labels)`.
    """

    vectors: NDArray[np.float32] | None
    logits: dict[str, Tensor]


def ask_teachers(folders: Sequence[Path], examples: Sequence[Example], sets: LabelSets) -> Lessons:
    """Reads texts with trained releases.

    Args:
        folders: releases; each needs the same labels in a head to teach it.
        examples: the texts.
        sets: the label sets of the model that is to learn.

    Returns:
        What they make of the texts, for the heads that all of them have.

    Raises:
        ReleaseError: a release is damaged, or none of them can teach any head.
    """
    found = [_read(folder, examples, sets) for folder in folders]
    heads = [head for head in sets.heads if all(head in reading.logits for reading in found)]
    if not heads:
        raise ReleaseError(
            f"{folders[0]}: teaches none of the heads {', '.join(sets.heads) or '(none)'}: a teacher must have been "
            "trained on the same labels. Train it on the same examples, or leave it out."
        )
    logits = {
        head: torch.stack([torch.from_numpy(reading.logits[head]).log_softmax(-1) for reading in found]).mean(0)
        for head in heads
    }
    vectors = None
    if len({reading.vectors.shape[1] for reading in found}) == 1:
        mean = np.mean([reading.vectors for reading in found], axis=0)
        vectors = (mean / np.linalg.norm(mean, axis=1, keepdims=True).clip(min=1e-12)).astype(np.float32)
    return Lessons(vectors, logits)


def keep_layers(reader: Reader, count: int) -> None:
    """Leaves some of the encoder's layers, evenly spread, the last one among them (Sun et al. 2019, PKD, section 3).

    Args:
        reader: the model, which is changed in place.
        count: how many layers stay; all where there are no more.
    """
    layers = reader.encoder.encoder.layer
    if count < len(layers):
        chosen = np.linspace(0, len(layers) - 1, count + 1).round().astype(int)[1:]
        reader.encoder.encoder.layer = nn.ModuleList([layers[int(place)] for place in chosen])
        reader.encoder.config.num_hidden_layers = count


def _read(folder: Path, examples: Sequence[Example], sets: LabelSets) -> Readings:
    """A teacher's readings with its heads in the order of the learner's labels; heads with other labels left out."""
    verify(folder)
    manifest = read_manifest(folder)
    reader, tokenizer = load_reader(folder, manifest)
    own = LabelSets({head: tuple(labels) for head, labels in manifest.heads.items()}, tuple(manifest.entity_types))
    texts = [Example(example.text, lang=example.lang) for example in examples]
    features = featurise(texts, own, tokenizer, manifest.prefix, manifest.max_tokens)
    readings = read_all(reader, features, int(tokenizer.pad_token_id))
    logits = {}
    for head, labels in sets.heads.items():
        if set(labels) == set(own.heads.get(head, ())):
            columns = [own.heads[head].index(label) for label in labels]
            logits[head] = readings.logits[head][:, columns]
    return Readings(readings.vectors, logits, readings.tags)
