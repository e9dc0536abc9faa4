"""How the command line is read, and what a mistake in it says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from bot.cli import app as subject
from bot.cli.many_values import ManyValues, spread

OPTIONS = {"--examples", "--faq"}


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("--examples a b c --out o", "--examples a --examples b --examples c --out o"),
        ("--examples a --examples b", "--examples a --examples b"),
        ("dir --examples a b --json --faq f g", "dir --examples a --examples b --json --faq f --faq g"),
        ("--examples=a b --seed 1 rest", "--examples=a --examples b --seed 1 rest"),
        ("--out o rest", "--out o rest"),
        ("--examples a - b", "--examples a --examples - --examples b"),
        ("--examples a -- b c", "--examples a -- b c"),
        ("--json dir", "--json dir"),
        ("", ""),
    ],
)
def test_an_option_takes_all_values_up_to_the_next(given: str, read: str) -> None:
    assert spread(given.split(), OPTIONS) == read.split()


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("--examples a dir", "--examples a dir"),
        ("--examples a b dir", "--examples a --examples b dir"),
        ("--json --examples a dir", "--json --examples a dir"),
        ("dir --examples a b", "dir --examples a --examples b"),
        ("--json dir --examples a b", "--json dir --examples a --examples b"),
        ("--seed 1 dir --examples a b", "--seed 1 dir --examples a --examples b"),
        ("--examples a b --json", "--examples a --examples b --json"),
        ("--examples a --json dir", "--examples a --json dir"),
        ("--examples a", "--examples a"),
    ],
)
def test_the_last_word_is_the_argument_that_stands_nowhere_else(given: str, read: str) -> None:
    assert spread(given.split(), OPTIONS, {"--json"}, arguments=1) == read.split()


def test_the_learning_commands_take_several_files(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Path, ...]] = []
    app = typer.Typer()

    @app.command(cls=ManyValues)
    def measure(release: str, examples: list[Path] = typer.Option(..., "--examples")) -> None:
        seen.append((Path(release), *examples))

    for line in ("dir --examples a.jsonl b.jsonl --examples c.jsonl", "--examples a.jsonl b.jsonl c.jsonl dir"):
        result = CliRunner().invoke(app, line.split())
        assert result.exit_code == 0, result.output
        assert seen.pop() == (Path("dir"), Path("a.jsonl"), Path("b.jsonl"), Path("c.jsonl"))
    commands: Any = typer.main.get_command(subject.app)
    assert {name for name, command in commands.commands.items() if isinstance(command, ManyValues)} == {
        "train",
        "tune",
        "evaluate",
    }


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("train --examples a", "frontdesk: Missing option '--out'. See `frontdesk train --help`."),
        ("evaluate", "frontdesk: Missing argument 'release'. See `frontdesk evaluate --help`."),
        ("batch x --release r --in i --out o", "frontdesk: Got unexpected extra argument(s) (x). See `frontdesk batch"),
        ("trai", "frontdesk: No such command 'trai'. Did you mean"),
        ("train --seed x --examples a --out b", "frontdesk: Invalid value for '--seed'"),
        ("releases show", "frontdesk: Missing argument 'name'. See `frontdesk releases show --help`."),
        ("train --examples nosuch.jsonl --out o", "frontdesk: nosuch.jsonl: there is no such file or folder."),
    ],
)
def test_a_mistake_is_one_clear_line(
    given: str, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["frontdesk", *given.split()])
    with pytest.raises(SystemExit) as ended:
        subject.main()
    told = capsys.readouterr()
    assert ended.value.code == 2
    assert told.out == ""
    assert told.err.startswith(says)
    assert told.err.count("\n") == 1


@pytest.mark.parametrize(("given", "code"), [([], 2), (["--help"], 0), (["evaluate", "--help"], 0)])
def test_help_is_shown(
    given: list[str], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["frontdesk", *given])
    with pytest.raises(SystemExit) as ended:
        subject.main()
    assert (ended.value.code or 0) == code
    told = capsys.readouterr()
    assert "Usage" in told.out + told.err


@pytest.mark.parametrize("code", [0, 1])
def test_a_commands_exit_code_is_passed_on(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    app = typer.Typer()

    @app.command()
    def end() -> None:
        raise typer.Exit(code)

    monkeypatch.setattr(subject, "app", app)
    monkeypatch.setattr(sys, "argv", ["frontdesk"])
    with pytest.raises(SystemExit) as ended:
        subject.main()
    assert (ended.value.code or 0) == code
