"""Sha256 of files and of the folders that encoders are read from."""

from __future__ import annotations

import hashlib
from pathlib import Path

_READ_BY_ENCODER = ("config.json", "*.safetensors", "*.safetensors.index.json", "tokenizer*", "vocab.txt")


def file_sha256(path: Path) -> str:
    """Returns the sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def encoder_fingerprint(folder: Path) -> str:
    """Tells apart encoders that may answer differently.

    Args:
        folder: a folder that transformers reads.

    Returns:
        The sha256 over names and contents of configuration, weights and tokenizer, in hexadecimal.
    """
    paths = sorted({path for pattern in _READ_BY_ENCODER for path in folder.glob(pattern) if path.is_file()})
    lines = "".join(f"{file_sha256(path)}  {path.name}\n" for path in paths)
    return hashlib.sha256(lines.encode()).hexdigest()
