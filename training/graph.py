"""Builds the graph that serves a release: encoder, pooling and heads as ONNX, in full precision or in 8 bits.

The graph is made of the fused operators that ONNX Runtime has for BERT, some ten to a layer; an exported trace has five
times as many, and for one short text they take as long as the arithmetic. In 8 bits each weight matrix has a scale for
each output, and the inputs of a product share one that is measured as they come (dynamic quantisation). What loses most
by that, the product from the activation back to the layer's width, has scales for blocks of each token's inputs and of
each output's weights instead. Word embeddings have 8 bits either way, with a scale for each 32 numbers: they are only
looked up, and cosines hardly change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from nlu.model import Reader
from nlu.onnx_engine import HEAD, IDS, MASK, TAGS, VECTOR
from nlu.types import InputError

Floats = NDArray[np.float32]

_FUSED = "com.microsoft"
_OPSET = 18
_IR_VERSION = 9
_ACTIVATIONS = {"gelu": ("Gelu", _FUSED), "gelu_new": ("FastGelu", _FUSED), "relu": ("Relu", "")}
_LEVELS = 127
"""The largest whole number of a weight; `nlu.onnx_engine` sees to it that sums of such products do not overflow."""
_BLOCK = 128
"""Inputs that share a scale in the product that has several for each token."""
_WORD_BLOCK = 32
"""Numbers of a word embedding that share a scale."""
_WORD_LEVELS = 120
"""The largest whole number of a word embedding; as 8 divides it, embeddings that were packed in 4 bits stay exact."""
_MOVED = 0.75
"""How much of an input's range moves to the weights, 0 to 1."""


def build_graph(reader: Reader, *, quantised: bool = False, ranges: Mapping[str, Floats] | None = None) -> bytes:
    """Writes a model as an ONNX graph.

    Args:
        reader: the trained model.
        quantised: whether products are computed in 8 bits.
        ranges: for inputs of products, by the names that `training.export.input_ranges` gives, the largest magnitude of
            each channel, shape `(in,)`; brings channels with outliers to a like range before they are quantised.

    Returns:
        The graph: inputs `ids` and `mask`, outputs `vector`, one for each head, and `tags` where there is a token head.

    Raises:
        InputError: the encoder has an activation function or a way to count positions that the graph does not know.
    """
    config = reader.encoder.config
    if config.hidden_act not in _ACTIVATIONS or getattr(config, "position_embedding_type", "absolute") != "absolute":
        raise InputError(
            f"The encoder's activation {config.hidden_act!r} or its positions cannot be served. Give a BERT with "
            f"absolute positions and one of {', '.join(_ACTIVATIONS)}."
        )
    builder = _Builder(quantised=quantised, ranges=ranges or {})
    state = builder.embeddings(reader.encoder.embeddings, float(config.layer_norm_eps))
    mask = builder.node("Cast", [MASK], to=TensorProto.INT32)
    for number, layer in enumerate(reader.encoder.encoder.layer):
        state = builder.layer(f"layer.{number}", layer, state, mask, config)
    builder.outputs(reader, state)
    names = [VECTOR, *(HEAD + head for head in reader.sizes)]
    sizes = [int(config.hidden_size), *reader.sizes.values()]
    outputs = [_output(name, ["batch", size]) for name, size in zip(names, sizes, strict=True)]
    if reader.tagger is not None:
        outputs.append(_output(TAGS, ["batch", "tokens", reader.tagger.out_features]))
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"]) for name in (IDS, MASK)]
    graph = helper.make_graph(builder.nodes, "reader", inputs, outputs, builder.constants)
    domains = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_FUSED, 1)]
    model = helper.make_model(graph, opset_imports=domains, ir_version=_IR_VERSION, producer_name="frontdesk")
    return bytes(model.SerializeToString())


def with_heads(graph: bytes, reader: Reader) -> bytes:
    """Puts other heads of the same sizes into a graph that `build_graph` made.

    Args:
        graph: of the same encoder, heads and token head.
        reader: whose heads to take.

    Returns:
        The graph with these heads; all else is as it was.
    """
    model = onnx.load_from_string(graph)
    constants = {constant.name: constant for constant in model.graph.initializer}
    nodes = {node.output[0]: node for node in model.graph.node}

    def put(name: str, values: Tensor) -> None:
        constants[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(_array(values)), name))

    for head in reader.sizes:
        layer = reader.head(head)
        _, weight, bias = nodes[HEAD + head].input
        put(weight, layer.weight)
        put(bias, layer.bias)
    if reader.tagger is not None:
        product, bias = nodes[TAGS].input
        put(nodes[product].input[1], reader.tagger.weight.T)
        put(bias, reader.tagger.bias)
    return bytes(model.SerializeToString())


class _Builder:
    """Collects nodes and constants; each method returns the name of the value that it adds."""

    def __init__(self, *, quantised: bool, ranges: Mapping[str, Floats]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._quantised = quantised
        self._ranges = ranges

    def constant(self, values: NDArray[Any]) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def node(self, kind: str, inputs: list[str], output: str = "", domain: str = "", **attributes: Any) -> str:
        output = output or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], domain=domain, **attributes))
        return output

    def embeddings(self, tables: Any, epsilon: float) -> str:
        words = self._look_up(_array(tables.word_embeddings.weight))
        places = _array(tables.position_embeddings.weight) + _array(tables.token_type_embeddings.weight)[0]
        count = self.node("Gather", [self.node("Shape", [IDS]), self.constant(np.array([1], np.int64))])
        zero = self.constant(np.array([0], np.int64))
        positions = self.node("Slice", [self.constant(places), zero, count, zero])
        return self._norm(self.node("Add", [words, positions]), tables.LayerNorm, epsilon)

    def layer(self, name: str, layer: Any, state: str, mask: str, config: Any) -> str:
        epsilon = float(config.layer_norm_eps)
        attended = self._attention(f"{name}.attention", layer.attention, state, mask, int(config.num_attention_heads))
        joined = self._linear(f"{name}.attention.output", attended, layer.attention.output.dense)
        state = self._norm(joined, layer.attention.output.LayerNorm, epsilon, skip=state)
        activation, domain = _ACTIVATIONS[config.hidden_act]
        inner = self._linear(f"{name}.inner", state, layer.intermediate.dense)
        outer = self._outer(self.node(activation, [inner], domain=domain), layer.output.dense)
        return self._norm(outer, layer.output.LayerNorm, epsilon, skip=state)

    def outputs(self, reader: Reader, state: str) -> None:
        last = self.constant(np.array([-1], np.int64))
        tokens = self.constant(np.array([1], np.int64))
        weights = self.node("Unsqueeze", [self.node("Cast", [MASK], to=TensorProto.FLOAT), last])
        total = self.node("ReduceSum", [self.node("Mul", [state, weights]), tokens], keepdims=0)
        count = self.node("ReduceSum", [weights, tokens], keepdims=0)
        pooled = self.node("Div", [total, self.node("Max", [count, self.constant(np.ones(1, np.float32))])])
        self.node("LpNormalization", [pooled], VECTOR, axis=-1, p=2)
        for head in reader.sizes:
            layer = reader.head(head)
            constants = [self.constant(_array(layer.weight)), self.constant(_array(layer.bias))]
            self.node("Gemm", [pooled, *constants], HEAD + head, transB=1)
        if reader.tagger is not None:
            product = self.node("MatMul", [state, self.constant(_array(reader.tagger.weight).T)])
            self.node("Add", [product, self.constant(_array(reader.tagger.bias))], TAGS)

    def _look_up(self, table: Floats) -> str:
        """Rows of a table in 8 bits; in full precision they would be two thirds of the graph."""
        whole, scales = _in_blocks(table, _WORD_BLOCK, _WORD_LEVELS)
        inputs = [self.constant(whole.reshape(len(table), -1)[:, : table.shape[1]]), IDS, self.constant(scales)]
        axes = {"gather_axis": 0, "quantize_axis": 1}
        return self.node("GatherBlockQuantized", inputs, "", _FUSED, bits=8, block_size=_WORD_BLOCK, **axes)

    def _norm(self, state: str, norm: nn.LayerNorm, epsilon: float, skip: str = "") -> str:
        scale, bias = self.constant(_array(norm.weight)), self.constant(_array(norm.bias))
        if skip:
            state = self.node("Add", [state, skip])
        return self.node("LayerNormalization", [state, scale, bias], axis=-1, epsilon=epsilon)

    def _attention(self, name: str, attention: Any, state: str, mask: str, heads: int) -> str:
        parts = (attention.self.query, attention.self.key, attention.self.value)
        weights = np.concatenate([_array(part.weight) for part in parts]).T
        bias = self.constant(np.concatenate([_array(part.bias) for part in parts]))
        if not self._quantised:
            inputs = [state, self.constant(weights), bias, mask]
            return self.node("Attention", inputs, domain=_FUSED, num_heads=heads)
        state, weights = self._smooth(name, state, weights)
        whole, scales = _quantise(weights)
        values, scale, zero = (f"{name}.{part}" for part in ("values", "scale", "zero"))
        self.nodes.append(helper.make_node("DynamicQuantizeLinear", [state], [values, scale, zero]))
        no_shift = self.constant(np.zeros(len(scales), np.int8))
        inputs = [values, self.constant(whole), bias, scale, self.constant(scales), mask, zero, no_shift]
        return self.node("QAttention", inputs, domain=_FUSED, num_heads=heads)

    def _linear(self, name: str, state: str, layer: nn.Linear) -> str:
        if not self._quantised:
            return self._full_product(state, layer)
        weights, bias = _array(layer.weight).T, self.constant(_array(layer.bias))
        state, weights = self._smooth(name, state, weights)
        whole, scales = _quantise(weights)
        inputs = [
            state,
            self.constant(whole),
            self.constant(scales),
            self.constant(np.zeros(len(scales), np.int8)),
            bias,
        ]
        return self.node("DynamicQuantizeMatMul", inputs, domain=_FUSED)

    def _outer(self, state: str, layer: nn.Linear) -> str:
        if not self._quantised:
            return self._full_product(state, layer)
        columns, rows = layer.weight.shape
        whole, scales = _in_blocks(_array(layer.weight), _BLOCK, _LEVELS)
        inputs = [state, self.constant(whole), self.constant(scales), "", "", self.constant(_array(layer.bias))]
        sizes: dict[str, Any] = {"K": rows, "N": columns, "bits": 8, "block_size": _BLOCK}
        return self.node("MatMulNBits", inputs, domain=_FUSED, accuracy_level=4, **sizes)

    def _full_product(self, state: str, layer: nn.Linear) -> str:
        product = self.node("MatMul", [state, self.constant(_array(layer.weight).T)])
        return self.node("Add", [product, self.constant(_array(layer.bias))])

    def _smooth(self, name: str, state: str, weights: Floats) -> tuple[str, Floats]:
        """Divides the inputs of a product by a factor for each channel, and multiplies its weights by them.

        The factors are those of SmoothQuant (Xiao et al. 2023, equation 4) with more of the range moved to the weights,
        which have scales of their own.
        """
        if name not in self._ranges:
            return state, weights
        seen = np.maximum(self._ranges[name], 1e-5)
        factors = seen**_MOVED / np.maximum(np.abs(weights).max(1), 1e-5) ** (1 - _MOVED)
        return self.node("Mul", [state, self.constant(1 / factors)]), weights * factors[:, None]


def _quantise(weights: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Whole numbers, shape `(in, out)`, and the scale of each output, shape `(out,)`."""
    scales = np.maximum(np.abs(weights).max(0), 1e-8).astype(np.float32) / _LEVELS
    return np.rint(weights / scales).astype(np.int8), scales


def _in_blocks(table: Floats, size: int, levels: int) -> tuple[NDArray[np.uint8], Floats]:
    """Whole numbers from 128, shape `(rows, blocks, size)`, and the scale of each block, shape `(rows, blocks)`."""
    blocks = np.pad(table, ((0, 0), (0, -table.shape[1] % size))).reshape(len(table), -1, size)
    scales = np.maximum(np.abs(blocks).max(2), 1e-8).astype(np.float32) / levels
    return (np.rint(blocks / scales[..., None]) + 128).astype(np.uint8), scales


def _array(values: Tensor) -> Floats:
    found: Floats = values.detach().cpu().float().numpy()
    return found


def _output(name: str, shape: list[str | int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
