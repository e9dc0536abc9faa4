"""`python -m bench`: runs benchmarks and prints their table."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NoReturn

import structlog
import typer

from bench import banking77, commands, report
from bench.figures import Outcome
from bench.machine import read_machine
from bench.releases import Setup
from bot.errors import FaqError, FrontdeskError, InputError

_log = logging.getLogger(__name__)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class Name(StrEnum):
    """The benchmarks."""

    BANKING77 = "banking77"
    SHOP = "shop"
    PIPELINE = "pipeline"
    READING = "reading"
    RUNTIMES = "runtimes"
    SETS = "sets"
    RECIPE = "recipe"
    POOLING = "pooling"
    FAQ = "faq"
    NEAREST = "nearest"
    LIVE = "live"
    ANSWERS = "answers"
    FUZZ = "fuzz"
    LOAD = "load"
    DELIVERY = "delivery"
    TELEGRAM_FAULTS = "telegram-faults"
    OUTAGES = "outages"


_COMPARING = (Name.RECIPE, Name.POOLING)
"""What chose the recipe; run by name only."""


@app.command()
def main(
    names: Annotated[
        list[Name] | None, typer.Argument(help="Which to run; all but recipe and pooling by default.")
    ] = None,
    data: Annotated[Path, typer.Option("--data", help="The folder of public data sets.")] = Path("../shared/data"),
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures to this file as well, as they come.")
    ] = None,
    seeds: Annotated[str, typer.Option("--seeds", help="Seeds of the trainings, separated by commas.")] = "13",
    keep: Annotated[
        Path | None, typer.Option("--keep", help="Keep trained releases in this folder and take those it has.")
    ] = None,
    only: Annotated[
        str,
        typer.Option("--only", help="Folders of public data sets (sets), names of changes (recipe), with commas."),
    ] = "",
    release: Annotated[
        Path | None,
        typer.Option(
            "--release", help="Take this trained release of the shop (shop, pipeline, reading, runtimes, faq, live)."
        ),
    ] = None,
) -> None:
    """Measure accuracy, speed and memory; a missed figure says so, and is no failure."""
    chosen = list(dict.fromkeys(names or [name for name in Name if name not in _COMPARING]))
    try:
        numbers = parse_seeds(seeds)
        check(chosen, data, json_file, release)
    except InputError as error:
        fail(str(error))
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    machine = read_machine()
    with work_folder(keep) as work:
        setup = Setup(data.resolve(), work, numbers, release.resolve() if release else None)
        outcomes: dict[str, Outcome] = {}
        # Before the first as well: figures of an earlier run must not be taken for this one's.
        written = write_figures(json_file, report.document(machine, outcomes, numbers))
        for name, outcome in measured(chosen, setup, tuple(filter(None, only.split(",")))):
            outcomes[name] = outcome
            commands.say(f"{name} is measured.\n" + "\n".join(report.table({name: outcome})))
            written = write_figures(json_file, report.document(machine, outcomes, numbers))
    if outcomes:
        sys.stdout.write(report.markdown(machine, outcomes, numbers) + "\n")
    commands.say(f"load average at the end {os.getloadavg()[0]:.2f}")
    if not written:
        fail(f"{json_file}: could not be written. The table above has the figures.")
    if len(outcomes) < len(chosen):
        raise typer.Exit(1)


def measured(names: list[Name], setup: Setup, only: tuple[str, ...] = ()) -> Iterator[tuple[str, Outcome]]:
    """Runs benchmarks; one that fails is told and does not cost the others' figures.

    Args:
        names: which, in order.
        setup: what they work with.
        only: what to take of `sets` and `recipe`; all by default.

    Yields:
        The name of each that did not fail, as soon as it ended, with what it gave.
    """
    from bench import (
        answers,
        delivery,
        faq,
        fuzz,
        live_edits,
        load,
        nearest,
        outages,
        pipeline,
        pooling,
        public_sets,
        reading,
        recipe,
        runtimes,
        shop,
        telegram_faults,
    )

    measures: dict[Name, Callable[[Setup], Outcome]] = {
        Name.BANKING77: banking77.measure,
        Name.SHOP: shop.measure,
        Name.PIPELINE: pipeline.measure,
        Name.READING: reading.measure,
        Name.RUNTIMES: runtimes.measure,
        Name.SETS: partial(public_sets.measure, chosen=only),
        Name.RECIPE: partial(recipe.measure, chosen=only),
        Name.POOLING: pooling.measure,
        Name.FAQ: faq.measure,
        Name.NEAREST: nearest.measure,
        Name.LIVE: live_edits.measure,
        Name.ANSWERS: answers.measure,
        Name.FUZZ: fuzz.measure,
        Name.LOAD: load.measure,
        Name.DELIVERY: delivery.measure,
        Name.TELEGRAM_FAULTS: telegram_faults.measure,
        Name.OUTAGES: outages.measure,
    }
    for name in names:
        try:
            outcome = measures[name](setup)
        except (FrontdeskError, FaqError) as error:
            commands.say(f"{name.value} could not be measured: {error}")
        except Exception:  # noqa: BLE001 (whatever one benchmark does, the others' figures stand)
            commands.say(f"{name.value} could not be measured, by a fault of its own:")
            _log.exception(name.value)
        else:
            yield name.value, outcome


def write_figures(path: Path | None, figures: dict[str, Any]) -> bool:
    """Writes what is measured so far, if a file is wanted; False where that fails, which costs no measuring."""
    if path is None:
        return True
    text = json.dumps(figures, ensure_ascii=False, indent=2)
    try:
        path.write_text(text + "\n", "utf-8")
    except OSError as error:
        commands.say(f"{path}: cannot be written ({error.strerror}). The figures are printed at the end.")
        return False
    return True


def parse_seeds(text: str) -> tuple[int, ...]:
    """Reads `13,14,15`.

    Args:
        text: whole numbers separated by commas.

    Returns:
        The seeds, each once.

    Raises:
        InputError: a part is no whole number of 0 or more.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise InputError(f"--seeds: expected whole numbers separated by commas, such as 13,14,15, got {text!r}.")
    return tuple(dict.fromkeys(int(part) for part in parts))


def check(names: list[Name], data: Path, json_file: Path | None, release: Path | None) -> None:
    """Finds out before the first training what would fail after it.

    Args:
        names: the benchmarks to run.
        data: the folder of public data sets.
        json_file: where the figures will be written.
        release: a release to take.

    Raises:
        InputError: a file or folder is missing; names it.
    """
    missing = [path for path in banking77.needed_files(data) if not path.is_file()]
    if {Name.BANKING77, *_COMPARING, Name.FAQ} & set(names) and missing:
        raise InputError(
            f"{missing[0]}: there is no such file. Give the folder of the public data sets with --data, or name the "
            "benchmarks that need none: shop, pipeline, reading, runtimes."
        )
    if release is not None and not (release / "manifest.json").is_file():
        raise InputError(f"{release}: is no release folder. Train one with `frontdesk train`, or leave --release out.")
    if json_file is not None and (json_file.is_dir() or not json_file.absolute().parent.is_dir()):
        raise InputError(f"{json_file}: cannot be written there. Choose a file in an existing folder for --json.")


@contextlib.contextmanager
def work_folder(keep: Path | None) -> Iterator[Path]:
    """The folder that is kept, or one that is gone afterwards."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="frontdesk-bench-") as folder:
        yield Path(folder).resolve()


def fail(message: str) -> NoReturn:
    """Ends with one clear line and exit code 2."""
    commands.say(message)
    raise typer.Exit(2)


if __name__ == "__main__":
    # Without this, an ended run would leave its servers and folders behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    app(prog_name="bench")
