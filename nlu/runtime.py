"""Reads messages with a release: one forward pass gives calibrated scores, entities, an oos score and a vector."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file, save_file
from threadpoolctl import threadpool_limits
from transformers import PreTrainedTokenizerFast

from nlu.calibration import softmax
from nlu.model import Reader, tag_names
from nlu.out_of_scope import OosModel
from nlu.pretrained import load_bert
from nlu.releases import Manifest, read_manifest
from nlu.text import detect_language, normalise
from nlu.types import (
    OUT_OF_SCOPE,
    Distribution,
    Entity,
    InputError,
    ReleaseError,
    Score,
    Thresholds,
    Understanding,
    Vector,
)

HEADS_FILE = "heads.safetensors"
CALIBRATION_FILE = "calibration.json"
OOS_FILE = "oos.safetensors"
ENCODER_FOLDER = "encoder"

_TOP = 5
_BATCH = 32

UNDETERMINED = "und"
"""A language that is none of the release's (ISO 639-2)."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Everything that turns raw outputs of a release into calibrated scores.

    Attributes:
        temperatures: for each head what its logits are divided by.
        thresholds: where scores turn into decisions.
        oos: the out-of-scope model, or None where the release has no intents.
    """

    temperatures: dict[str, float]
    thresholds: Thresholds
    oos: OosModel | None


def save_reading_parts(folder: Path, reader: Reader, calibration: Calibration) -> None:
    """Writes heads and calibration into a release folder (the encoder is saved apart).

    Args:
        folder: the release under construction.
        reader: the trained model.
        calibration: fitted on held-out data.
    """
    heads = {n: p.detach().contiguous() for n, p in reader.state_dict().items() if not n.startswith("encoder.")}
    save_file(heads, folder / HEADS_FILE)
    content: dict[str, Any] = {
        "temperatures": calibration.temperatures,
        "thresholds": asdict(calibration.thresholds),
        "oos": calibration.oos.to_json() if calibration.oos else None,
    }
    (folder / CALIBRATION_FILE).write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    if calibration.oos:
        save_arrays(calibration.oos.arrays(), folder / OOS_FILE)


def load_calibration(folder: Path) -> Calibration:
    """Reads what `save_reading_parts` wrote.

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
        return Calibration(content["temperatures"], Thresholds(**content["thresholds"]), oos)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReleaseError(
            f"{folder / CALIBRATION_FILE}: cannot be used: {error}. Train or restore the release."
        ) from error


def load_reader(folder: Path, manifest: Manifest) -> tuple[Reader, PreTrainedTokenizerFast]:
    """Loads encoder, heads and tokenizer of a release.

    Args:
        folder: a release.
        manifest: its manifest.

    Returns:
        The model in evaluation mode, and its tokenizer.

    Raises:
        ReleaseError: a file is missing or does not fit the manifest.
    """
    try:
        encoder = load_bert(folder / ENCODER_FOLDER)
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder / ENCODER_FOLDER)
        sizes = {head: len(labels) for head, labels in manifest.heads.items()}
        reader = Reader(encoder, sizes, len(tag_names(list(manifest.entity_types))))
        missing, unexpected = reader.load_state_dict(load_file(folder / HEADS_FILE), strict=False)
    except (OSError, ValueError, RuntimeError, InputError) as error:
        raise ReleaseError(f"{folder}: the model cannot be loaded: {error}. Train or restore the release.") from error
    if unexpected or any(not name.startswith("encoder.") for name in missing):
        raise ReleaseError(f"{folder / HEADS_FILE}: heads do not fit the manifest. Train or restore the release.")
    return reader.eval(), tokenizer


class TorchUnderstander:
    """Reads texts with torch; implements the port `nlu.types.Understander`.

    Args:
        folder: a verified release folder.
        threads: CPU threads for one pass; 0 leaves torch's choice.
    """

    def __init__(self, folder: Path, threads: int = 0) -> None:
        if threads:
            torch.set_num_threads(threads)
        # NumPy's own threads keep spinning after each product, on the cores that torch's next pass needs.
        threadpool_limits(1, user_api="blas")
        self.manifest = read_manifest(folder)
        self._reader, self._tokenizer = load_reader(folder, self.manifest)
        self._calibration = load_calibration(folder)
        self._tags = tag_names(list(self.manifest.entity_types))
        self._guard = threading.Lock()

    @property
    def release(self) -> str:
        """The name of the release that is loaded."""
        return self.manifest.name

    @property
    def thresholds(self) -> Thresholds:
        """The release's own thresholds."""
        return self._calibration.thresholds

    def embed(self, texts: Sequence[str]) -> Vector:
        """Unit-length sentence vectors of any number of texts, shape `(n, width)`."""
        clean = [normalise(text) for text in texts]
        order = sorted(range(len(clean)), key=lambda i: len(clean[i]))
        vectors = np.zeros((len(clean), int(self._reader.encoder.config.hidden_size)), dtype=np.float32)
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            vectors[rows] = self._forward([clean[i] for i in rows])[0]
        return vectors

    def understand(
        self, texts: Sequence[str], langs: Sequence[str | None] | None = None, *, normalised: bool = False
    ) -> list[Understanding]:
        """Reads several texts in one forward pass.

        Args:
            texts: any strings.
            langs: the language to expect of each text, or None; see `detect_language`.
            normalised: True keeps texts as they are, so that entity offsets count in them.

        Returns:
            One understanding a text, in order.
        """
        if not texts:
            return []
        clean = list(texts) if normalised else [normalise(text) for text in texts]
        vectors, logits, spans = self._forward(clean)
        probabilities = {
            head: softmax(values, self._calibration.temperatures.get(head, 1.0)) for head, values in logits.items()
        }
        oos = np.zeros(len(clean))
        if self._calibration.oos is not None:
            oos = self._calibration.oos.score(logits["intent"], vectors)
        found = []
        for i, text in enumerate(clean):
            heads = {head: self._distribution(head, values[i]) for head, values in probabilities.items()}
            lang = self._language(text, langs[i] if langs else None)
            found.append(
                Understanding(
                    text=text,
                    lang=lang,
                    heads=heads,
                    entities=tuple(spans[i]),
                    oos=float(oos[i]),
                    vector=vectors[i],
                    release=self.release,
                    thresholds=self.thresholds,
                )
            )
        return found

    def _language(self, text: str, hint: str | None) -> str:
        """The language of a text: empty without words, `und` for one that the release is not for."""
        found = detect_language(text, self.manifest.languages, default="", hint=hint)
        return UNDETERMINED if found is None else found

    def _distribution(self, head: str, probabilities: NDArray[np.floating[Any]]) -> Distribution:
        """The best labels of one head; the out-of-scope class is told by the out-of-scope score instead."""
        labels = self.manifest.heads[head]
        order = [i for i in np.argsort(-probabilities)[: _TOP + 1] if labels[i] != OUT_OF_SCOPE or len(labels) == 1]
        return Distribution(tuple(Score(labels[i], float(probabilities[i])) for i in order[:_TOP]))

    def _forward(self, texts: list[str]) -> tuple[Vector, dict[str, NDArray[np.float32]], list[list[Entity]]]:
        """One forward pass: vectors `(n, width)`, logits of each head `(n, labels)`, entities of each text."""
        prefix = self.manifest.prefix
        with self._guard:
            encoded = self._tokenizer(
                [prefix + text for text in texts],
                truncation=True,
                max_length=self.manifest.max_tokens,
                padding=True,
                return_offsets_mapping=True,
                return_tensors="pt",
            )
        with torch.inference_mode():
            reading = self._reader(encoded["input_ids"], encoded["attention_mask"].bool())
        vectors: Vector = reading.unit_vector.numpy()
        logits = {head: values.numpy() for head, values in reading.logits.items()}
        spans: list[list[Entity]] = [[] for _ in texts]
        if reading.tags is not None:
            best = reading.tags.argmax(-1).numpy()
            offsets = encoded["offset_mapping"].numpy()
            spans = [
                decode_tags(text, [self._tags[t] for t in best[i]], offsets[i].tolist(), len(prefix))
                for i, text in enumerate(texts)
            ]
        return vectors, logits, spans


def decode_tags(text: str, tags: Sequence[str], offsets: Sequence[Sequence[int]], shift: int) -> list[Entity]:
    """Turns BIO tags of tokens into entities.

    Args:
        text: the text that was tagged.
        tags: a tag for each token; an `I-` without its `B-` starts an entity as well.
        offsets: first and one-past-last character of each token, counted with the prefix.
        shift: length of the prefix.

    Returns:
        Entities in order, without white space at their ends.
    """
    spans: list[tuple[str, int, int]] = []
    open_type = ""
    for tag, (start, end) in zip(tags, offsets, strict=True):
        first, last = max(start - shift, 0), end - shift
        if start == end or last <= 0:
            continue
        if tag == "O":
            open_type = ""
            continue
        mark, _, name = tag.partition("-")
        if mark == "I" and open_type == name and spans:
            spans[-1] = (name, spans[-1][1], last)
        else:
            spans.append((name, first, last))
        open_type = name
    entities = []
    for name, first, last in spans:
        part = text[first:last].strip()
        if part:
            start = text.index(part, first)
            entities.append(Entity(name, start, start + len(part), part, part))
    return entities
