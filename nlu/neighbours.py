"""Training examples kept in a release, to show which of them a text is most like."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from nlu.types import ReleaseError, Vector

TEXTS_FILE = "neighbours.jsonl"
VECTORS_FILE = "neighbours.safetensors"
MOST_EXAMPLES = 5000

_VECTORS = "vectors"


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A training example that a text is like.

    Attributes:
        text: as it was trained on.
        labels: head to label.
        similarity: cosine of the two vectors, -1 to 1.
    """

    text: str
    labels: Mapping[str, str]
    similarity: float


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """Training examples with their vectors.

    Attributes:
        texts: of the examples.
        labels: head to label of each.
        vectors: unit-length, shape `(n, width)`.
    """

    texts: Sequence[str]
    labels: Sequence[Mapping[str, str]]
    vectors: NDArray[np.float16]

    def nearest(self, vector: Vector, top: int = 5) -> list[Neighbour]:
        """The examples that a text is most like, the nearest first.

        Args:
            vector: the text's unit-length vector, shape `(width,)`.
            top: how many at most.

        Returns:
            The examples.
        """
        if not len(self.texts):
            return []
        cosines = self.vectors.astype(np.float32) @ vector
        best = np.argsort(-cosines, kind="stable")[:top]
        return [Neighbour(self.texts[i], self.labels[i], float(cosines[i])) for i in best]

    def save(self, folder: Path) -> None:
        """Writes them into a release under construction, thinned evenly to `MOST_EXAMPLES`.

        Args:
            folder: the release.
        """
        kept = np.unique(np.linspace(0, len(self.texts) - 1, min(len(self.texts), MOST_EXAMPLES)).round().astype(int))
        lines = [json.dumps({"text": self.texts[i], "labels": dict(self.labels[i])}, ensure_ascii=False) for i in kept]
        (folder / TEXTS_FILE).write_text("".join(f"{line}\n" for line in lines), "utf-8")
        save_file({_VECTORS: np.ascontiguousarray(self.vectors[kept])}, folder / VECTORS_FILE)

    @classmethod
    def load(cls, folder: Path) -> Neighbours:
        """Reads what `save` wrote.

        Args:
            folder: a release.

        Returns:
            The examples; none from a release of before they were kept.

        Raises:
            ReleaseError: a file is not what it should be.
        """
        if not (folder / TEXTS_FILE).exists():
            return cls((), (), np.zeros((0, 0), np.float16))
        try:
            lines = [json.loads(line) for line in (folder / TEXTS_FILE).read_text("utf-8").split("\n") if line]
            vectors = load_file(folder / VECTORS_FILE)[_VECTORS]
            found = cls([line["text"] for line in lines], [line["labels"] for line in lines], vectors)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise ReleaseError(
                f"{folder / TEXTS_FILE}: cannot be used: {error}. Train or restore the release."
            ) from error
        if len(vectors) != len(lines):
            raise ReleaseError(
                f"{folder}: {TEXTS_FILE} has {len(lines)} texts, {VECTORS_FILE} {len(vectors)} vectors. "
                "Train or restore the release."
            )
        return found
