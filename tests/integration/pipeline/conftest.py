"""The pipeline and the intake over the real log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.bot_files import BotFiles, load_bot_files
from tests.integration.pipeline.house import SHOP, House


@pytest.fixture(scope="module")
def files() -> BotFiles:
    return load_bot_files(SHOP)


@pytest.fixture
def house(tmp_path: Path, files: BotFiles) -> Iterator[House]:
    made = House(tmp_path, files)
    yield made
    made.close()
