"""Chooses the graph that serves a release: in 8 bits where that is faster and loses nothing."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nlu.model import Reader
from nlu.onnx_engine import OnnxEngine
from nlu.releases import Manifest
from nlu.runtime import GRAPH_FILE
from nlu.torch_engine import TorchEngine
from nlu.types import ReleaseError
from training.datasets import NO_LABEL, Features, label_array
from training.graph import build_graph, with_heads
from training.reading import Readings, read_all, read_with

FULL, QUANTISED = "fp32", "int8"

ENTITIES = "entities"
"""Stands among the heads for the token head; a text is right where each of its tokens is."""

_EXACT = 1e-3
_BORNE, _MOST_BORNE = 0.005, 0.01
_LEAST_COSINE = 0.99
_CALIBRATED = 256
_TIMED = 64
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Variant:
    """A way to run the model, and what it was measured to do on held-out texts.

    Attributes:
        name: `fp32` or `int8`.
        cosine: the mean cosine between its sentence vectors and the trained model's.
        agreement: for each head the share of texts that are given the same label; for `entities`, here and below, the
            same tags.
        lost: for each head the accuracy lost against the trained model; negative where it gains.
        noise: for each head one standard error of `lost` (McNemar 1947): two equally good models disagree on some texts
            near their borders, and each of those falls either way.
        milliseconds: the median time of one text on one thread.
        graph: the serialised graph.
    """

    name: str
    cosine: float
    agreement: dict[str, float]
    lost: dict[str, float]
    noise: dict[str, float]
    milliseconds: float
    graph: bytes = field(repr=False)

    @property
    def is_faithful(self) -> bool:
        """Whether it may stand in for the trained model.

        A head may lose half a point, or what chance explains, but never more than one point.
        """
        borne = {head: min(max(_BORNE, noise), _MOST_BORNE) for head, noise in self.noise.items()}
        return self.cosine >= _LEAST_COSINE and all(lost <= borne[head] for head, lost in self.lost.items())

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "cosine": round(self.cosine, 5),
            "agreement": {head: round(share, 4) for head, share in self.agreement.items()},
            "lost": {head: round(share, 4) for head, share in self.lost.items()},
            "noise": {head: round(share, 4) for head, share in self.noise.items()},
            "ms": round(self.milliseconds, 3),
            "mb": round(len(self.graph) / 1e6, 1),
        }


def export_graph(
    reader: Reader,
    folder: Path,
    known: Sequence[Features],
    held: Sequence[Features],
    pad_id: int,
    keep: str | None = None,
) -> dict[str, Any]:
    """Builds the model's graphs, compares the ways to run it here, and keeps the fastest that is faithful.

    Args:
        reader: the trained model; it is not changed.
        folder: the release under construction, which gets `model.onnx`.
        known: training texts, which the ranges of inputs are measured on.
        held: held-out texts, which the ways are compared on.
        pad_id: the padding token.
        keep: the way that the release before this one is run, which is kept where it is faithful: so a comparison of
            the two tells what was learnt, not what 8 bits change. None leaves the choice to speed.

    Returns:
        What was measured, for the manifest: `chosen`, and the figures of each way by name.

    Raises:
        ReleaseError: the graph does not compute what the model computes, or the disk refuses.
    """
    truth = read_with(TorchEngine(reader), held, pad_id)
    ranges = input_ranges(reader, known[:: max(1, len(known) // _CALIBRATED)], pad_id)
    variants = [
        _measure(FULL, build_graph(reader), held, truth, pad_id),
        _measure(QUANTISED, build_graph(reader, quantised=True, ranges=ranges), held, truth, pad_id),
    ]
    if variants[0].cosine < 1 - _EXACT:
        raise ReleaseError(
            f"The graph's vectors differ from the model's (cosine {variants[0].cosine:.4f}). "
            "Check the installed versions of torch and onnxruntime."
        )
    faithful = [variant for variant in variants if variant.name == FULL or variant.is_faithful]
    chosen = min(faithful, key=lambda variant: (variant.name != keep, variant.milliseconds))
    _write(folder, chosen.graph)
    return {"chosen": chosen.name, **{variant.name: variant.to_json() for variant in variants}}


def keep_graph(reader: Reader, folder: Path, before: Path, manifest: Manifest) -> dict[str, Any]:
    """Takes the graph of the release before this one, with new heads: right where the encoder has not moved.

    Vectors, and with them retrieval and the heads that were not fitted anew, stay the same to the last bit. In 8 bits
    made anew they would not, as the ranges of inputs depend on the texts at hand.

    Args:
        reader: the model with the new heads.
        folder: the release under construction, which gets `model.onnx`.
        before: the release whose graph is kept.
        manifest: that release's.

    Returns:
        For the manifest: `chosen`, the way to run it, and `kept`, the name of the release before.

    Raises:
        ReleaseError: the graph cannot be read, or the disk refuses.
    """
    try:
        graph = (before / GRAPH_FILE).read_bytes()
    except OSError as error:
        raise ReleaseError(f"{before}: the graph cannot be read ({error.strerror}).") from error
    _write(folder, with_heads(graph, reader))
    return {"chosen": manifest.metrics.get("runtime", {}).get("chosen", ""), "kept": manifest.name}


def _write(folder: Path, graph: bytes) -> None:
    try:
        (folder / GRAPH_FILE).write_bytes(graph)
    except OSError as error:
        raise ReleaseError(f"{folder}: cannot be written ({error.strerror}). Free disk space.") from error


def input_ranges(reader: Reader, features: Sequence[Features], pad_id: int) -> dict[str, NDArray[np.float32]]:
    """The largest magnitude that each channel takes in the inputs of those products whose 8 bits have one scale.

    Args:
        reader: the model; it is not changed.
        features: texts to read.
        pad_id: the padding token.

    Returns:
        By the name of the product, shape `(in,)`; empty without texts.
    """
    ranges: dict[str, Tensor] = {}

    def watch(name: str, product: Any) -> Any:
        def see(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            seen = inputs[0].detach().abs().flatten(0, -2).amax(0).float().cpu()
            ranges[name] = torch.maximum(ranges.get(name, seen), seen)

        return product.register_forward_pre_hook(see)

    layers: list[Any] = list(reader.encoder.encoder.layer)
    hooks = []
    for number, layer in enumerate(layers):
        hooks += [
            watch(f"layer.{number}.attention", layer.attention.self.query),
            watch(f"layer.{number}.attention.output", layer.attention.output.dense),
            watch(f"layer.{number}.inner", layer.intermediate.dense),
        ]
    read_all(reader, features, pad_id)
    for hook in hooks:
        hook.remove()
    return {name: seen.numpy() for name, seen in ranges.items()}


def _measure(name: str, graph: bytes, held: Sequence[Features], truth: Readings, pad_id: int) -> Variant:
    engine = OnnxEngine(graph)
    found = read_with(engine, held, pad_id)
    lost, noise = {}, {}
    right = _right(found, held)
    for head, before in _right(truth, held).items():
        lost[head] = float(before.mean() - right[head].mean())
        noise[head] = math.sqrt((before != right[head]).sum()) / len(before)
    return Variant(
        name=name,
        cosine=float((found.vectors * truth.vectors).sum(1).mean()) if len(held) else 1.0,
        agreement=_agreement(found, truth) if held else {},
        lost=lost,
        noise=noise,
        milliseconds=_time(engine, held),
        graph=graph,
    )


def _right(reading: Readings, held: Sequence[Features]) -> dict[str, NDArray[np.bool_]]:
    """For each head whether each text that has a label is read rightly."""
    right: dict[str, NDArray[np.bool_]] = {}
    for head, logits in reading.logits.items():
        labels = label_array(held, head)
        rows = labels != NO_LABEL
        if rows.any():
            right[head] = logits[rows].argmax(1) == labels[rows]
    tagged = [
        _same_tags(tags, np.array(item.tags))
        for tags, item in zip(reading.tags, held, strict=False)
        if item.tags is not None
    ]
    return right | ({ENTITIES: np.array(tagged)} if tagged else {})


def _agreement(found: Readings, truth: Readings) -> dict[str, float]:
    """For each head the share of texts that two readings agree on."""
    shares = {
        head: float((found.logits[head].argmax(1) == logits.argmax(1)).mean()) for head, logits in truth.logits.items()
    }
    if truth.tags:
        same = [_same_tags(left, right) for left, right in zip(found.tags, truth.tags, strict=True)]
        shares[ENTITIES] = float(np.mean(same))
    return shares


def _same_tags(tags: NDArray[np.int64], truth: NDArray[np.int64]) -> bool:
    return bool((tags == truth)[truth != NO_LABEL].all())


def _time(engine: OnnxEngine, texts: Sequence[Features]) -> float:
    """The median over texts of the best of several rounds, in milliseconds."""
    sample = texts[:: max(1, len(texts) // _TIMED)]
    best = np.full(len(sample), np.inf)
    for _ in range(_ROUNDS):
        for place, text in enumerate(sample):
            ids = np.array([text.ids], dtype=np.int64)
            start = time.perf_counter()
            engine.run(ids, np.ones_like(ids))
            best[place] = min(best[place], time.perf_counter() - start)
    return float(np.median(best) * 1000) if len(sample) else 0.0
