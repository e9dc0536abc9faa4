"""The example shop's stories over the real pipeline, by the command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import yaml

from tests.e2e.server import SHOP


def frontdesk_test(tmp_path: Path, release: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bot.cli", "test", *arguments, "--release", release],
        capture_output=True,
        text=True,
        timeout=300,
        env={"PATH": "/usr/bin:/bin", "FRONTDESK_DATA_DIR": str(tmp_path), "FRONTDESK_BOT_DIR": str(SHOP)},
        check=False,
    )


def test_the_shop_has_sixty_stories_in_each_language() -> None:
    for lang in ("en", "zh"):
        stories = yaml.safe_load((SHOP / "stories" / f"{lang}.yaml").read_text("utf-8"))["stories"]
        assert len({story["story"] for story in stories}) == len(stories) >= 60


def test_every_story_of_the_shop_goes_as_written(tmp_path: Path, shop_release: Path) -> None:
    played = frontdesk_test(tmp_path, shop_release, SHOP / "stories")
    assert played.returncode == 0, played.stdout + played.stderr
    assert not (tmp_path / "frontdesk.sqlite3").exists()


def test_a_story_that_goes_otherwise_is_told(tmp_path: Path, shop_release: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(
        "stories:\n  - story: Wrong\n    steps:\n      - user: Where is my order?\n        bot: {form: contact}\n",
        "utf-8",
    )
    played = frontdesk_test(tmp_path, shop_release, file, "--json")
    document = json.loads(played.stdout)
    assert played.returncode == 1
    assert (document["stories"], document["passed"]) == (1, 0)
    assert document["mismatches"][0]["place"] == "wrong.yaml:4"
    assert (document["mismatches"][0]["wanted"], document["mismatches"][0]["got"]) == ("form=contact", "form=order")
