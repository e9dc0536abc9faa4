"""What the commands print: documents on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bot.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from training.fit import Progress as TrainingProgress


def fail(message: str) -> NoReturn:
    """Ends the command with one clear message and exit code 2."""
    sys.stderr.write(f"frontdesk: {message}\n")
    sys.exit(2)


def say(message: str) -> None:
    """Tells the person something, on stderr."""
    sys.stderr.write(message + "\n")


def print_json(document: Any) -> None:
    """Prints one JSON document on stdout."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def print_line(text: str) -> None:
    """Prints one line on stdout."""
    sys.stdout.write(text + "\n")


def data_files(
    paths: list[Path], endings: tuple[str, ...] = (".jsonl", ".ndjson", ".csv", ".yaml", ".yml")
) -> list[Path]:
    """Files as they are, folders as the data files in them.

    Args:
        paths: files and folders.
        endings: which files of a folder count.

    Returns:
        The files, those of a folder in the order of their names.

    Raises:
        InputError: a path is not there, or a folder has no data file.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            found = sorted(p for p in path.iterdir() if p.suffix.lower() in endings)
            if not found:
                raise InputError(f"{path}: the folder has no file ending in {', '.join(endings)}.")
            files += found
        elif path.exists():
            files.append(path)
        else:
            raise InputError(f"{path}: there is no such file or folder. Check the path.")
    return files


@contextmanager
def training_progress(label: str) -> Iterator[Callable[[TrainingProgress], None]]:
    """A progress bar with time left, on stderr; plain lines where stderr is no terminal.

    Args:
        label: what is being done.

    Yields:
        What the training reports to.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        shown = [-1]

        def plain(progress: TrainingProgress) -> None:
            share = 20 * progress.step // progress.steps
            if share != shown[0]:
                shown[0] = share
                figures = f"loss {progress.loss:.3f}, held-out {progress.score:.3f}"
                say(f"{label}: {5 * share} %, epoch {progress.epoch}, {figures}")

        yield plain
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(label, total=None, note="reading")

        def drawn(progress: TrainingProgress) -> None:
            note = f"epoch {progress.epoch}  loss {progress.loss:.3f}  held-out {progress.score:.3f}"
            bar.update(task, total=progress.steps, completed=progress.step, note=note)

        yield drawn
