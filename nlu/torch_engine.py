"""The model as it was trained, in torch: for training, and for releases without an exported graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from transformers import PreTrainedTokenizerFast

from nlu.engine import Outputs
from nlu.manifest import Manifest
from nlu.model import Reader
from nlu.pretrained import load_bert
from nlu.runtime import ENCODER_FOLDER, HEADS_FILE
from nlu.tags import tag_names
from nlu.types import InputError, ReleaseError


def save_heads(folder: Path, reader: Reader) -> None:
    """Writes the heads into a release folder (the encoder is saved apart).

    Args:
        folder: the release under construction.
        reader: the trained model.
    """
    heads = {n: p.detach().contiguous() for n, p in reader.state_dict().items() if not n.startswith("encoder.")}
    save_file(heads, folder / HEADS_FILE)


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


class TorchEngine:
    """Runs the model in torch; implements `nlu.engine.Engine`.

    Args:
        reader: the model.
        threads: CPU threads for one pass; 0 leaves torch's choice.
    """

    def __init__(self, reader: Reader, threads: int = 0) -> None:
        if threads:
            torch.set_num_threads(threads)
        self._reader = reader.eval()

    @property
    def width(self) -> int:
        """The width of its sentence vectors."""
        return int(self._reader.encoder.config.hidden_size)

    def run(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> Outputs:
        """One forward pass; see `nlu.engine.Engine.run`."""
        with torch.inference_mode():
            reading = self._reader(torch.from_numpy(ids), torch.from_numpy(mask).bool())
        logits = {head: values.numpy() for head, values in reading.logits.items()}
        tags = None if reading.tags is None else reading.tags.numpy()
        return Outputs(reading.unit_vector.numpy(), logits, tags)
