"""The model as an exported graph, run by ONNX Runtime: what serves messages, without torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from nlu.engine import Outputs
from nlu.processor import processor_flags
from nlu.types import ReleaseError

IDS, MASK, VECTOR, TAGS, HEAD = "ids", "mask", "vector", "tags", "head."
"""Names of the graph's inputs and outputs; `HEAD` comes before a head's own name."""


class OnnxEngine:
    """Runs an exported graph, one thread a pass; implements `nlu.engine.Engine`.

    On a few cores several passes at once get more done than one pass on all of them; see `nlu.batching`.

    Args:
        graph: the graph's file, or its content.

    Raises:
        ReleaseError: it is no graph that can be run.
    """

    def __init__(self, graph: Path | bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        if not _sums_in_32_bits():
            options.add_session_config_entry("session.x64quantprecision", "1")
        source = graph if isinstance(graph, bytes) else str(graph)
        name = "The graph" if isinstance(graph, bytes) else str(graph)
        try:
            # The fused form of a residual sum and its normalisation takes three times as long as the two.
            self._session = onnxruntime.InferenceSession(
                source, options, providers=["CPUExecutionProvider"], disabled_optimizers=["SkipLayerNormFusion"]
            )
        except Exception as error:
            raise ReleaseError(f"{name}: cannot be run: {error}. Train or restore the release.") from error
        outputs = self._session.get_outputs()
        self._names = [output.name for output in outputs]
        if VECTOR not in self._names:
            raise ReleaseError(f"{name}: has no output {VECTOR!r}. Train or restore the release.")
        self._width = int(outputs[self._names.index(VECTOR)].shape[-1])

    @property
    def width(self) -> int:
        """The width of its sentence vectors."""
        return self._width

    def run(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> Outputs:
        """One forward pass; see `nlu.engine.Engine.run`."""
        found = dict(zip(self._names, self._session.run(None, {IDS: ids, MASK: mask}), strict=True))
        logits = {name.removeprefix(HEAD): values for name, values in found.items() if name.startswith(HEAD)}
        return Outputs(found[VECTOR], logits, found.get(TAGS))


def _sums_in_32_bits(told: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor has VNNI or AMX, whose sums of 8-bit products cannot overflow.

    Others add pairs of them in 16 bits; there ONNX Runtime has an exact way, which is as slow as full precision. It is
    taken too where the processor does not say what it has.
    """
    return not processor_flags(told).isdisjoint({"avx512_vnni", "avx_vnni", "amx_int8"})
