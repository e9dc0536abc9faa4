from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nlu.neighbours import TEXTS_FILE, VECTORS_FILE, Neighbours
from nlu.types import ReleaseError

BREAKS = "\n\r\x0b\x0c\x1c\x85\u2028\u2029"
"""Everything that Python takes for the end of a line."""
EXAMPLES = Neighbours((f"one{BREAKS}", "two"), ({"intent": "a"}, {"intent": "b"}), np.eye(2, 4, dtype=np.float16))


def test_examples_are_read_as_they_were_written(tmp_path: Path) -> None:
    EXAMPLES.save(tmp_path)
    found = Neighbours.load(tmp_path)
    assert (found.texts, found.labels) == (list(EXAMPLES.texts), list(EXAMPLES.labels))
    assert found.nearest(np.array([0, 1, 0, 0], np.float32), 1)[0].text == "two"


@pytest.mark.parametrize(
    ("name", "content"), [(VECTORS_FILE, b"no safetensors"), (TEXTS_FILE, b"{"), (TEXTS_FILE, b"1")]
)
def test_damaged_examples_are_refused(tmp_path: Path, name: str, content: bytes) -> None:
    EXAMPLES.save(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ReleaseError, match="cannot be used"):
        Neighbours.load(tmp_path)
