from __future__ import annotations

from pathlib import Path

import pytest

from nlu.releases import ReleaseStore


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    return ReleaseStore(tmp_path / "releases")
