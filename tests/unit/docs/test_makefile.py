"""What `make` runs, as far as it depends on what is there."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TRAIN = ".venv/bin/frontdesk train --examples {bot}/examples"
EVALUATE = ".venv/bin/frontdesk evaluate {release} --examples {bot}/test.jsonl"


def printed(target: str, **variables: Path | str) -> str:
    """The last command of a target, on one line."""
    command = ["make", "-n", target, *(f"{name}={value}" for name, value in variables.items())]
    # As if by hand, though `make test` may be what runs the tests.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    commands = done.stdout.replace("\\\n", " ").splitlines()
    return " ".join(commands[-1].split())


@pytest.fixture
def bot(tmp_path: Path) -> Path:
    folder = tmp_path / "bot"
    (folder / "examples").mkdir(parents=True)
    return folder


def test_training_takes_what_the_bots_folder_has(bot: Path) -> None:
    assert printed("train", BOT=bot, RELEASE="out") == f"{TRAIN.format(bot=bot)} --out out"
    (bot / "faq").mkdir()
    for name in ("test.jsonl", "faq_queries.jsonl", "train.yaml"):
        (bot / name).touch()
    options = f"--faq {bot}/faq --test {bot}/test.jsonl --faq-queries {bot}/faq_queries.jsonl --config {bot}/train.yaml"
    assert printed("train", BOT=bot, RELEASE="out") == f"{TRAIN.format(bot=bot)} {options} --out out"


def test_what_was_trained_is_measured_and_else_the_running_release(bot: Path, tmp_path: Path) -> None:
    made = tmp_path / "release"
    assert printed("evaluate", BOT=bot, RELEASE=made) == EVALUATE.format(release="current", bot=bot)
    made.mkdir()
    (made / "manifest.json").touch()
    (bot / "faq_queries.jsonl").touch()
    expected = f"{EVALUATE.format(release=made, bot=bot)} --faq-queries {bot}/faq_queries.jsonl"
    assert printed("evaluate", BOT=bot, RELEASE=made) == expected
    assert printed("evaluate", BOT=bot, RELEASE="current").startswith(EVALUATE.format(release="current", bot=bot))
