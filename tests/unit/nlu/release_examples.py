"""Small releases to seal, promote and damage."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from nlu.releases import Manifest, ReleaseStore

FULL = OSError(errno.ENOSPC, "No space left on device")


def manifest(name: str = "r20261122-101502-abc123", **changes: Any) -> Manifest:
    values: dict[str, Any] = {
        "name": name,
        "encoder": "minilm-l6-en",
        "encoder_fingerprint": "ab" * 32,
        "prefix": "query: ",
        "max_tokens": 128,
        "heads": {"intent": ("greet", "谢谢"), "emotion": ("angry",)},
        "seed": 13,
    }
    return Manifest(**(values | changes))


def fill(folder: Path, text: str = "a card") -> Path:
    (folder / "encoder").mkdir(parents=True)
    (folder / "2_Normalize").mkdir()
    (folder / "card.md").write_text(text)
    save_file({"weight": np.arange(6, dtype=np.float32)}, folder / "encoder" / "model.safetensors")
    (folder / "encoder" / "config.json").write_text("{}")
    return folder


def sealed(store: ReleaseStore, number: int) -> str:
    with store.draft() as folder:
        return store.seal(fill(folder, f"card {number}"), manifest(f"r20260101-0000{number:02}-00000{number}"))


def damage(store: ReleaseStore, name: str) -> None:
    path = store.path(name) / "encoder" / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def leftovers(root: Path) -> list[str]:
    return [path.name for path in root.iterdir() if path.name.startswith(".partial-")]
