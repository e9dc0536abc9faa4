from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nlu.runtime import OOS_FILE, TAGS_FILE, Calibration, load_calibration, save_calibration
from nlu.types import ReleaseError, Thresholds


def test_a_calibration_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = Calibration({"intent": 1.5}, Thresholds(), None, np.ones((4, 3), np.float32))
    save_calibration(tmp_path, written)
    found = load_calibration(tmp_path)
    assert (found.temperatures, found.thresholds, found.oos) == (written.temperatures, written.thresholds, None)
    assert found.transitions is not None
    assert found.transitions.shape == (4, 3)


@pytest.mark.parametrize("name", [TAGS_FILE, OOS_FILE])
def test_a_calibration_whose_arrays_are_none_is_refused(tmp_path: Path, name: str) -> None:
    save_calibration(tmp_path, Calibration({}, Thresholds(), None))
    if name == OOS_FILE:
        path = tmp_path / "calibration.json"
        path.write_text(path.read_text().replace('"oos": null', '"oos": {}'))
    (tmp_path / name).write_bytes(b"no safetensors")
    with pytest.raises(ReleaseError, match=r"calibration\.json: cannot be used"):
        load_calibration(tmp_path)
