from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from bot.cli import ask, learn, releases, stories
from bot.cli.retrain import read_inputs
from bot.errors import InputError, ReleaseError
from bot.settings import read_settings
from bot.stories import Mismatch, Story
from nlu.types import Understanding
from training.config import TrainingConfig

SHOP = Path(__file__).parents[4] / "examples" / "shop"


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FRONTDESK_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.delenv("FRONTDESK_LANGUAGES", raising=False)
    return tmp_path / "var"


def run(*given: object) -> Any:
    """Runs a command; what it raises on purpose is raised."""
    app = typer.Typer()
    for module in (learn, ask, releases, stories):
        module.add_commands(app)
    result = CliRunner().invoke(app, [str(each) for each in given])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def trained(monkeypatch: pytest.MonkeyPatch, folder: Path, settings: str) -> TrainingConfig:
    seen: list[TrainingConfig] = []

    def train(_: object, config: TrainingConfig, *__: object, **___: object) -> SimpleNamespace:
        seen.append(config)
        return SimpleNamespace(name="r", metrics={"notices": []})

    monkeypatch.setattr("training.train.train_release", train)
    (folder / "e.jsonl").write_text('{"text": "hi", "intent": "a"}\n{"text": "bye", "intent": "b"}\n')
    (folder / "train.yaml").write_text(settings)
    run("train", "--examples", folder / "e.jsonl", "--config", folder / "train.yaml", "--out", folder / "out")
    return seen[0]


def test_what_is_doubtful_about_the_examples_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = SimpleNamespace(name="r", metrics={"notices": ["intent: a single example of a, b."]})
    monkeypatch.setattr("training.train.train_release", lambda *_, **__: made)
    (tmp_path / "e.jsonl").write_text('{"text": "hi", "intent": "a"}\n{"text": "bye", "intent": "b"}\n')
    told = run("train", "--examples", tmp_path / "e.jsonl", "--out", tmp_path / "out").stderr
    assert "Note: intent: a single example of a, b.\n" in told


def test_languages_of_the_settings_file_hold_unless_the_operator_set_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert trained(monkeypatch, tmp_path, "languages: [en]\n").languages == ("en",)
    monkeypatch.setenv("FRONTDESK_LANGUAGES", "zh")
    assert trained(monkeypatch, tmp_path, "languages: [en]\n").languages == ("zh",)


def test_retraining_heeds_the_languages_of_the_settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bot = shutil.copytree(SHOP, tmp_path / "bot")
    (bot / "train.yaml").write_text("languages: [en]\n")
    monkeypatch.setenv("FRONTDESK_BOT_DIR", str(bot))
    assert read_inputs(read_settings()).config.languages == ("en",)


class Echo:
    """Reads every text, but for one that it breaks down at."""

    def understand(self, texts: list[str]) -> list[Understanding]:
        if "break" in texts:
            raise ReleaseError("broken")
        return [Understanding(text, "en", {}, (), 0.0, np.zeros(2, dtype=np.float32), "r") for text in texts]


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learn, "release_folder", lambda *_: Path())
    monkeypatch.setattr("nlu.runtime.load_understander", lambda *_: Echo())


DAMAGED = {
    "half a surrogate pair": '{"text": "hello \\ud800 there"}',
    "half a pair in another field": '{"text": "hi", "note": "\\ud83d"}',
    "nested deeply": '{"text": "hi", "a": ' + "[" * 100_000 + "]" * 100_000 + "}",
}


@pytest.mark.usefixtures("echo")
@pytest.mark.parametrize("line", DAMAGED.values(), ids=DAMAGED)
def test_batch_names_the_line_that_it_cannot_take(tmp_path: Path, line: str) -> None:
    (tmp_path / "in.jsonl").write_text(f'{{"text": "hi"}}\n{line}\n')
    with pytest.raises(InputError, match=r"in\.jsonl:2: is no sound JSON"):
        run("batch", "--release", "r", "--in", tmp_path / "in.jsonl", "--out", tmp_path / "out.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


@pytest.mark.usefixtures("echo")
def test_batch_leaves_nothing_unfinished(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "hi"}\n' * 64 + '{"text": "break"}\n')
    with pytest.raises(ReleaseError):
        run("batch", "--release", "r", "--in", tmp_path / "in.jsonl", "--out", tmp_path / "out.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]
    (tmp_path / "in.jsonl").write_text('{"text": "你好", "id": 7}\n')
    run("batch", "--release", "r", "--in", tmp_path / "in.jsonl", "--out", tmp_path / "out.jsonl")
    (line,) = (tmp_path / "out.jsonl").read_text("utf-8").splitlines()
    assert "你好" in line
    assert json.loads(line)["id"] == 7


def test_a_release_without_a_card_is_said_to_have_none(data_dir: Path) -> None:
    (data_dir / "releases" / "r20261122-100001-abc123").mkdir(parents=True)
    with pytest.raises(ReleaseError, match=r"card\.md: cannot be read"):
        run("releases", "show", "r20261122-100001-abc123")


class Services:
    """Remembers what it was asked to answer with."""

    def __init__(self) -> None:
        self.done: list[object] = []
        self.engine = SimpleNamespace(refresh=lambda: self.done.append("the current one"), use=self.done.append)
        self.clock = SimpleNamespace(now=lambda: None)
        self.intake = SimpleNamespace(answer=self.answer)

    def answer(self, _: object) -> dict[str, Any]:
        return {"replies": [], "decision": {"kind": "template", "reason": "so"}}

    def close(self) -> None:
        self.done.append("closed")


@pytest.mark.parametrize(("option", "used"), [([], "the current one"), (["--release", "mine"], "mine, loaded")])
def test_a_logged_conversation_may_go_on_with_a_named_release(
    monkeypatch: pytest.MonkeyPatch, option: list[str], used: str
) -> None:
    services = Services()
    monkeypatch.setattr(ask, "open_services", lambda _: services)
    monkeypatch.setattr(ask, "release_folder", lambda _, release: Path(release))
    monkeypatch.setattr(ask, "load_engine", lambda folder: f"{folder}, loaded")
    run("ask", "hi", "--conversation", "x1", *option)
    assert services.done == [used, "closed"]


def test_stories_of_one_name_are_counted_one_by_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def play(story: Story, *_: object) -> Iterator[Mismatch]:
        yield Mismatch(story.name, f"{story.file}:{story.steps[0].line}", "hi", "a", "b", ())

    story = "  - story: greets\n    steps:\n      - user: hi\n        bot: greeting\n"
    (tmp_path / "s.yaml").write_text(f"stories:\n{story * 2}")
    monkeypatch.setenv("FRONTDESK_BOT_DIR", str(SHOP))
    monkeypatch.setattr(stories, "release_folder", lambda *_: tmp_path)
    monkeypatch.setattr(stories, "load_engine", lambda *_: None)
    monkeypatch.setattr(stories, "play", play)
    result = run("test", tmp_path, "--json")
    assert json.loads(result.stdout)["passed"] == 0
