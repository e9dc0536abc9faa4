from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bot.errors import UnavailableError
from bot.live_engine import LiveEngine
from nlu.releases import ReleaseStore
from retrieval.types import FaqEntry


def test_a_given_engine_answers_though_no_release_is_current(tmp_path: Path) -> None:
    live = LiveEngine(ReleaseStore(tmp_path))
    with pytest.raises(UnavailableError):
        live()
    entry = FaqEntry("a", "When?", "Now.")
    given = cast("Any", SimpleNamespace(entries={"a": entry}))
    live.use(given)
    live.refresh_entries()
    assert live() is given
    assert live.faq_entries() == (entry,)
