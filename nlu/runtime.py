"""Reads messages with a release: one forward pass gives calibrated scores, entities, an oos score and a vector.

Nothing here needs torch: releases carry an exported graph (`nlu.onnx_engine`). One without it is run in torch.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays
from threadpoolctl import threadpool_limits
from tokenizers import Encoding, Tokenizer

from nlu.batching import BatchingEngine, in_passes
from nlu.calibration import softmax
from nlu.engine import Engine, Outputs
from nlu.manifest import Manifest, read_manifest
from nlu.out_of_scope import OosModel
from nlu.patterns import find_patterns, merge_entities
from nlu.tags import Edges, TagDecoder, tag_names
from nlu.text import detect_language, normalise
from nlu.types import OUT_OF_SCOPE, Distribution, Entity, ReleaseError, Score, Thresholds, Understanding, Vector

HEADS_FILE = "heads.safetensors"
CALIBRATION_FILE = "calibration.json"
OOS_FILE = "oos.safetensors"
TAGS_FILE = "tags.safetensors"
ENCODER_FOLDER = "encoder"
GRAPH_FILE = "model.onnx"

_TOP = 5
_TRANSITIONS = "transitions"

UNDETERMINED = "und"
"""A language that is none of the release's (ISO 639-2)."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Everything that turns raw outputs of a release into calibrated scores.

    Attributes:
        temperatures: for each head what its logits are divided by.
        thresholds: where scores turn into decisions.
        oos: the out-of-scope model, or None where the release has no intents.
        transitions: how tags follow each other, see `nlu.tags.TagDecoder`; None where that is not known.
        edges: what is cut off at the ends of entities.
    """

    temperatures: dict[str, float]
    thresholds: Thresholds
    oos: OosModel | None
    transitions: NDArray[np.float32] | None = None
    edges: Edges = field(default_factory=Edges)


def save_calibration(folder: Path, calibration: Calibration) -> None:
    """Writes a calibration into a release folder.

    Args:
        folder: the release under construction.
        calibration: fitted on held-out data.
    """
    content: dict[str, Any] = {
        "temperatures": calibration.temperatures,
        "thresholds": asdict(calibration.thresholds),
        "oos": calibration.oos.to_json() if calibration.oos else None,
        "edges": {"before": sorted(calibration.edges.before), "after": sorted(calibration.edges.after)},
    }
    (folder / CALIBRATION_FILE).write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    if calibration.oos:
        save_arrays(calibration.oos.arrays(), folder / OOS_FILE)
    if calibration.transitions is not None:
        save_arrays({_TRANSITIONS: calibration.transitions}, folder / TAGS_FILE)


def load_calibration(folder: Path) -> Calibration:
    """Reads what `save_calibration` wrote.

    Args:
        folder: a release.

    Returns:
        The calibration.

    Raises:
        ReleaseError: the file is missing or not what it should be.
    """
    try:
        content = json.loads((folder / CALIBRATION_FILE).read_text("utf-8"))
        oos = None
        if content["oos"] is not None:
            oos = OosModel.from_json(content["oos"], load_arrays(folder / OOS_FILE))
        path = folder / TAGS_FILE
        transitions = load_arrays(path)[_TRANSITIONS] if path.exists() else None
        edges = Edges(**{side: frozenset(parts) for side, parts in content.get("edges", {}).items()})
        return Calibration(content["temperatures"], Thresholds(**content["thresholds"]), oos, transitions, edges)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ReleaseError(
            f"{folder / CALIBRATION_FILE}: cannot be used: {error}. Train or restore the release."
        ) from error


def load_engine(folder: Path, manifest: Manifest, threads: int = 0) -> Engine:
    """Loads what runs a release: its graph, or the model in torch where it has none.

    Args:
        folder: a release.
        manifest: its manifest.
        threads: CPU threads for reading; 0 for one a core.

    Returns:
        The engine.

    Raises:
        ReleaseError: a file is missing or does not fit the manifest.
    """
    if (folder / GRAPH_FILE).exists():
        from nlu.onnx_engine import OnnxEngine

        return BatchingEngine(OnnxEngine(folder / GRAPH_FILE), lanes=threads or _cores())
    from nlu.torch_engine import TorchEngine, load_reader

    return BatchingEngine(TorchEngine(load_reader(folder, manifest)[0], threads))


def _cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load_understander(folder: Path, threads: int = 0) -> ReleaseUnderstander:
    """Loads a release for reading.

    Args:
        folder: a verified release.
        threads: CPU threads for reading; 0 for one a core.

    Returns:
        The reader of messages.

    Raises:
        ReleaseError: a file is missing or damaged.
    """
    # NumPy's own threads keep spinning after each product, on the cores that the next pass needs.
    threadpool_limits(1, user_api="blas")
    manifest = read_manifest(folder)
    path = folder / ENCODER_FOLDER / "tokenizer.json"
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:
        raise ReleaseError(f"{path}: cannot be used: {error}. Train or restore the release.") from error
    return ReleaseUnderstander(manifest, tokenizer, load_engine(folder, manifest, threads), load_calibration(folder))


class ReleaseUnderstander:
    """Reads texts; implements the port `nlu.types.Understander`.

    Args:
        manifest: the release's manifest.
        tokenizer: its tokenizer.
        engine: what runs its model.
        calibration: what makes scores of the outputs.
        today: the day that dates in texts count from.
    """

    def __init__(
        self,
        manifest: Manifest,
        tokenizer: Tokenizer,
        engine: Engine,
        calibration: Calibration,
        today: Callable[[], date] = lambda: datetime.now().astimezone().date(),
    ) -> None:
        self.manifest = manifest
        self.calibration = calibration
        self.engine = engine
        self._today = today
        self._tokenizer = tokenizer
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(manifest.max_tokens)
        self._decoder = TagDecoder(tag_names(list(manifest.entity_types)), calibration.transitions, calibration.edges)

    @property
    def release(self) -> str:
        """The name of the release that is loaded."""
        return self.manifest.name

    @property
    def thresholds(self) -> Thresholds:
        """The release's own thresholds."""
        return self.calibration.thresholds

    def embed(self, texts: Sequence[str]) -> Vector:
        """Unit-length sentence vectors of any number of texts, shape `(n, width)`."""
        return self._vectors(texts, self.manifest.prefix)

    def embed_passages(self, texts: Sequence[str]) -> Vector:
        """Unit-length vectors of texts that answer, as the encoder was pretrained to read these, shape `(n, width)`."""
        prefix = self.manifest.passage_prefix
        return self._vectors(texts, self.manifest.prefix if prefix is None else prefix)

    def _vectors(self, texts: Sequence[str], prefix: str) -> Vector:
        ids = [self._tokenizer.encode(prefix + normalise(text)).ids for text in texts]
        vectors = np.zeros((len(ids), self.engine.width), dtype=np.float32)
        for rows in in_passes([len(item) for item in ids]):
            vectors[rows] = self._run([ids[i] for i in rows]).vectors
        return vectors

    def understand(self, texts: Sequence[str], langs: Sequence[str | None] | None = None) -> list[Understanding]:
        """Reads several texts, those of like length in one forward pass.

        Args:
            texts: any strings.
            langs: the language to expect of each text, or None; see `detect_language`.

        Returns:
            One understanding a text, in order.
        """
        clean = [normalise(text) for text in texts]
        expected = langs or [None] * len(clean)
        encoded = [self.encode(text) for text in clean]
        found: dict[int, Understanding] = {}
        for rows in in_passes([len(item.ids) for item in encoded]):
            readings = self._read([clean[i] for i in rows], [expected[i] for i in rows], [encoded[i] for i in rows])
            found.update(zip(rows, readings, strict=True))
        return [replace(found[i], given=given) for i, given in enumerate(texts)]

    def _read(
        self, texts: Sequence[str], langs: Sequence[str | None], encoded: Sequence[Encoding]
    ) -> list[Understanding]:
        """Reads normalised texts in one forward pass."""
        outputs = self._run([item.ids for item in encoded])
        vectors, spans = outputs.vectors, self._entities(texts, outputs, encoded)
        scales = self.calibration.temperatures
        probabilities = {head: softmax(values, scales.get(head, 1.0)) for head, values in outputs.logits.items()}
        oos, nearest = np.zeros(len(texts)), None
        if self.calibration.oos is not None:
            oos, nearest = self.calibration.oos.judge(outputs.logits["intent"], vectors)
        found = []
        for i, text in enumerate(texts):
            heads = {head: self._distribution(head, values[i]) for head, values in probabilities.items()}
            lang = self._language(text, langs[i])
            found.append(
                Understanding(
                    text=text,
                    lang=lang,
                    heads=heads,
                    entities=tuple(merge_entities(spans[i], find_patterns(text, lang, self._today()))),
                    oos=float(oos[i]),
                    vector=vectors[i],
                    release=self.release,
                    thresholds=self.thresholds,
                    familiar=None if nearest is None else float(nearest[i]),
                )
            )
        return found

    def encode(self, text: str) -> Encoding:
        """A normalised text as the model is given it: ids and offsets, which count the prefix as well."""
        return self._tokenizer.encode(self.manifest.prefix + text)

    def _language(self, text: str, hint: str | None) -> str:
        """The language of a text: empty without words, `und` for one that the release is not for."""
        found = detect_language(text, self.manifest.languages, default="", hint=hint)
        return UNDETERMINED if found is None else found

    def _distribution(self, head: str, probabilities: NDArray[np.floating[Any]]) -> Distribution:
        """The best labels of one head; the out-of-scope class is told by the out-of-scope score instead."""
        labels = self.manifest.heads[head]
        order = [i for i in np.argsort(-probabilities)[: _TOP + 1] if labels[i] != OUT_OF_SCOPE or len(labels) == 1]
        return Distribution(tuple(Score(labels[i], float(probabilities[i])) for i in order[:_TOP]))

    def _run(self, texts: Sequence[Sequence[int]]) -> Outputs:
        """One forward pass over token ids."""
        shape = (len(texts), max(map(len, texts)))
        ids, mask = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        for row, own in enumerate(texts):
            ids[row, : len(own)] = own
            mask[row, : len(own)] = 1
        return self.engine.run(ids, mask)

    def _entities(self, texts: Sequence[str], outputs: Outputs, encoded: Sequence[Encoding]) -> list[list[Entity]]:
        if outputs.tags is None:
            return [[] for _ in texts]
        shift = len(self.manifest.prefix)
        return [
            self._decoder.entities(text, logits[: len(item.ids)], item.offsets, shift)
            for text, logits, item in zip(texts, outputs.tags, encoded, strict=True)
        ]
