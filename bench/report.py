"""What the benchmarks print: one Markdown table with the commands below it, or one JSON document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bench.figures import Figure, Outcome
from bench.machine import Machine


def markdown(machine: Machine, outcomes: Mapping[str, Outcome], seeds: Sequence[int]) -> str:
    """The report for README.

    Args:
        machine: where it was measured.
        outcomes: what each benchmark gave.
        seeds: of the trainings.

    Returns:
        Markdown text.
    """
    several = f"; several values: mean (lowest to highest) of the seeds {_listed(seeds)}" if len(seeds) > 1 else ""
    return "\n".join([f"Measured on {machine.describe()}{several}.", "", *table(outcomes)])


def table(outcomes: Mapping[str, Outcome]) -> list[str]:
    """The figures, the commands that give them and the notes.

    Args:
        outcomes: what each benchmark gave.

    Returns:
        Lines of Markdown.
    """
    figures = [figure for outcome in outcomes.values() for figure in outcome.figures]
    commands = list(dict.fromkeys(figure.command for figure in figures))
    lines = [
        "| figure | measured | wanted | command |",
        "|---|---|---|---|",
        *(_row(figure, commands.index(figure.command) + 1) for figure in figures),
        "",
        *(f"{number}. `{command}`" for number, command in enumerate(commands, start=1)),
    ]
    notes = [note for outcome in outcomes.values() for note in outcome.notes]
    return [*lines, *(["", *(f"- {note}" for note in notes)] if notes else [])]


def document(machine: Machine, outcomes: Mapping[str, Outcome], seeds: Sequence[int]) -> dict[str, Any]:
    """The report for programs.

    Args:
        machine: where it was measured.
        outcomes: what each benchmark gave.
        seeds: of the trainings.

    Returns:
        Plain JSON values.
    """
    return {
        "machine": asdict(machine),
        "seeds": list(seeds),
        "benchmarks": {
            name: {"figures": [_figure_document(figure) for figure in outcome.figures], "notes": list(outcome.notes)}
            for name, outcome in outcomes.items()
        },
    }


def _row(figure: Figure, command: int) -> str:
    return f"| {figure.name} | {figure.measured()} | {figure.wanted()} | {command} |"


def _figure_document(figure: Figure) -> dict[str, Any]:
    return {**asdict(figure), "mean": figure.mean, "verdict": figure.verdict}


def _listed(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))
