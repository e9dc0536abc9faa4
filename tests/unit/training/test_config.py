from __future__ import annotations

from pathlib import Path

import pytest

from nlu.types import InputError
from training.config import TrainingConfig, read_config

WRONG = {
    "no mapping": ("- epochs\n", "expected fields and values"),
    "no such day": ("epochs: 2024-13-45\n", "cannot be read as YAML"),
    "nested deeply": (f"a: {'[' * 3000}{']' * 3000}\n", "cannot be read as YAML"),
    "unknown field": ("epoch: 3\n", "field 'epoch'"),
    "seed below 0": ("seed: -5\n", "field 'seed'"),
    "seed too large": ("seed: 4294967296\n", "field 'seed'"),
}


@pytest.mark.parametrize(("content", "says"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_in_a_settings_file_is_said(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "train.yaml").write_text(content)
    with pytest.raises(InputError, match=says):
        read_config(tmp_path / "train.yaml")


def test_a_settings_file_may_hold_comments_alone(tmp_path: Path) -> None:
    (tmp_path / "train.yaml").write_text("# epochs: 8\n")
    assert read_config(tmp_path / "train.yaml") == TrainingConfig()
