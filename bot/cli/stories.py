"""`frontdesk test`: plays stories over the real pipeline."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bot.adapters.memory import MemoryState
from bot.adapters.sql_log import open_log
from bot.bootstrap import SystemClock
from bot.bot_files import load_bot_files
from bot.cli.learn import AsJson, release_folder
from bot.cli.output import data_files, print_json, print_line
from bot.errors import InputError
from bot.live_engine import load_engine
from bot.pipeline import Pipeline
from bot.settings import Settings, read_settings
from bot.stories import Mismatch, Story, play, read_stories

_ENDINGS = (".yaml", ".yml")


def add_commands(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command("test")(play_stories)


def play_stories(
    paths: Annotated[list[Path], typer.Argument(help="Story files, or folders with them.")],
    release: Annotated[str, typer.Option("--release", help="A release's folder or name.")] = "current",
    as_json: AsJson = False,
) -> None:
    """Play stories and show where the bot answers otherwise; ends with 1 where it does."""
    stories = read_stories(data_files(paths, _ENDINGS))
    if not stories:
        raise InputError("There is no story to play. See docs/stories.md for how to write one.")
    played = list(play_all(stories, read_settings(), release))
    mismatches = [each for found in played for each in found]
    passed = sum(not found for found in played)
    if as_json:
        document = {
            "stories": len(stories),
            "passed": passed,
            "mismatches": [asdict(each) for each in mismatches],
        }
        print_json(document)
    else:
        for each in mismatches:
            print_line(f"{each.place}: {each.story}: {each.said!r}: expected {each.wanted}, got {each.got}")
            for reply in each.replies:
                print_line(f"    bot: {reply}")
        print_line(f"{passed} of {len(stories)} stories passed.")
    if mismatches:
        sys.exit(1)


def play_all(stories: list[Story], settings: Settings, release: str) -> Iterator[list[Mismatch]]:
    """Plays stories, each in a conversation of its own that is forgotten afterwards.

    Args:
        stories: what to play.
        settings: say where the bot's files and releases are.
        release: a release's folder or name.

    Yields:
        What went otherwise than expected, for each story.
    """
    files = load_bot_files(settings.bot_dir)
    engine = load_engine(release_folder(settings, release), settings.threads)
    clock = SystemClock()
    with tempfile.TemporaryDirectory() as folder:
        log = open_log(f"sqlite:///{Path(folder) / 'stories.sqlite3'}", clock)
        state = MemoryState(settings.state_ttl)
        pipeline = Pipeline(lambda: engine, log, state, files.rules, files.templates, clock)
        try:
            for number, story in enumerate(stories):
                yield list(play(story, f"story:{number}", pipeline.handle, log, clock))
        finally:
            state.close()
            log.close()
