"""Which library serves a model fastest: ONNX Runtime or OpenVINO, each in full precision and in fewer bits.

OpenVINO's rows need `pip install openvino nncf`, which Frontdesk itself does not. It gets the model as torch exports
it, since the graph that serves is made of ONNX Runtime's own operators.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.commands import SHOP
from bench.figures import Figure, Outcome, latency
from bench.messages import mixed_messages, read_texts
from bench.reading import take_turns
from bench.releases import Setup, train_shop
from nlu.examples import read_examples
from nlu.manifest import read_manifest
from nlu.model import Reader
from nlu.onnx_engine import IDS, MASK
from nlu.runtime import ReleaseUnderstander, load_understander
from nlu.torch_engine import load_reader
from training.datasets import Features
from training.export import FULL, QUANTISED, input_ranges
from training.graph import build_graph

Ids = NDArray[np.int64]
Run = Callable[[Ids], object]
"""Reads one text, shape `(1, tokens)`."""

_COMMAND = "python -m bench runtimes"
_MESSAGES = 300
_RANGED = 256
_SPIN = "20"
"""Microseconds that a second thread looks out for work; more of it takes the core from other passes."""


def measure(setup: Setup) -> Outcome:
    """Times the encoder and its heads, without tokenisation and decisions, on one thread and on two.

    Args:
        setup: the seeds, or a release to take.

    Returns:
        The median time of a message for each way.
    """
    release = train_shop(setup, setup.seeds[0]).folder
    understander = load_understander(release)
    texts = mixed_messages(read_texts(SHOP / "test.jsonl"), "read", _MESSAGES)
    messages = [_ids(understander, message.text) for message in texts]
    reader, _ = load_reader(release, read_manifest(release))
    ways = _onnx_runtime(reader, _known(understander))
    notes = ["Each way reads the shop's test messages, one at a time, tokenised before; all take turns."]
    if importlib.util.find_spec("openvino") and importlib.util.find_spec("nncf"):
        ways |= _openvino(reader, setup.work)
    else:
        notes.append("OpenVINO was left out: `pip install openvino nncf` brings it.")
    # OpenVINO prepares itself for each length that it has not met.
    times = take_turns(list(ways.values()), messages, warm_up=len(messages))
    figures = [
        Figure(f"{name}, p50", (latency(taken).p50,), _COMMAND, "ms") for name, taken in zip(ways, times, strict=True)
    ]
    return Outcome(tuple(figures), tuple(notes))


def _ids(understander: ReleaseUnderstander, text: str) -> Ids:
    return np.array([understander.encode(text).ids], dtype=np.int64)


def _known(understander: ReleaseUnderstander) -> list[Features]:
    """Some of the shop's examples, as training takes some to measure the ranges of inputs."""
    examples = read_examples(*sorted((SHOP / "examples").glob("*.jsonl")))
    some = examples[:: max(1, len(examples) // _RANGED)]
    return [Features(tuple(understander.encode(example.text).ids), {}, None) for example in some]


def _onnx_runtime(reader: Reader, known: Sequence[Features]) -> dict[str, Run]:
    ranges = input_ranges(reader, known, 0)
    graphs = {
        FULL: build_graph(reader),
        QUANTISED: build_graph(reader, quantised=True, ranges=ranges),
    }
    return {
        f"ONNX Runtime {name}, {_threads(threads)}": _session(graph, threads)
        for name, graph in graphs.items()
        for threads in (1, 2)
    }


def _session(graph: bytes, threads: int) -> Run:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.spin_duration_us", _SPIN)
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = onnxruntime.InferenceSession(
        graph, options, providers=["CPUExecutionProvider"], disabled_optimizers=["SkipLayerNormFusion"]
    )
    return lambda ids: session.run(None, {IDS: ids, MASK: np.ones_like(ids)})


class _Traced(nn.Module):
    """A model as torch exports it: the vector first, then each head, then tags."""

    def __init__(self, reader: Reader) -> None:
        super().__init__()
        self.reader = reader

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        reading = self.reader(ids, mask.bool())
        tags = () if reading.tags is None else (reading.tags,)
        return (reading.unit_vector, *reading.logits.values(), *tags)


def _openvino(reader: Reader, work: Path) -> dict[str, Run]:
    import nncf
    import openvino

    path = work / "traced.onnx"
    ids = torch.ones((1, 12), dtype=torch.int64)
    sizes = {name: {0: "batch", 1: "tokens"} for name in (IDS, MASK)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Traced(reader).eval(),
            (ids, torch.ones_like(ids)),
            str(path),
            dynamo=False,
            input_names=[IDS, MASK],
            dynamic_axes=sizes,
        )
    core = openvino.Core()
    full = core.read_model(path)
    eight = nncf.compress_weights(core.read_model(path), mode=nncf.CompressWeightsMode.INT8_SYM)
    ways = {
        "fp32": (full, {"INFERENCE_PRECISION_HINT": "f32"}),
        "bf16": (full, {"INFERENCE_PRECISION_HINT": "bf16"}),
        "int8": (eight, {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "64"}),
    }
    return {
        f"OpenVINO {name}, {_threads(threads)}": _request(core, model, {"INFERENCE_NUM_THREADS": threads} | settings)
        for name, (model, settings) in ways.items()
        for threads in (1, 2)
    }


def _request(core: Any, model: Any, settings: dict[str, Any]) -> Run:
    request = core.compile_model(model, "CPU", {"PERFORMANCE_HINT": "LATENCY"} | settings).create_infer_request()

    return lambda ids: request.infer({IDS: ids, MASK: np.ones_like(ids)}, share_inputs=True)


def _threads(count: int) -> str:
    return "one thread" if count == 1 else f"{count} threads"
