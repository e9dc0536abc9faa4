from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from bot.cli import learn
from bot.cli.retrain import read_inputs
from bot.settings import read_settings
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
    learn.add_commands(app)
    result = CliRunner().invoke(app, [str(each) for each in given])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def trained(monkeypatch: pytest.MonkeyPatch, folder: Path, settings: str) -> TrainingConfig:
    seen: list[TrainingConfig] = []

    def train(_: object, config: TrainingConfig, *__: object, **___: object) -> SimpleNamespace:
        seen.append(config)
        return SimpleNamespace(name="r")

    monkeypatch.setattr("training.train.train_release", train)
    (folder / "e.jsonl").write_text('{"text": "hi", "intent": "a"}\n{"text": "bye", "intent": "b"}\n')
    (folder / "train.yaml").write_text(settings)
    run("train", "--examples", folder / "e.jsonl", "--config", folder / "train.yaml", "--out", folder / "out")
    return seen[0]


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
