"""Runs the `frontdesk` command as a person would, with its time and memory."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.machine import resident_bytes
from bot.errors import FrontdeskError

ROOT = Path(__file__).resolve().parents[1]
SHOP = ROOT / "examples" / "shop"

Arguments = Sequence[str | Path]

_POLL_SECONDS = 0.1


class BenchmarkError(FrontdeskError):
    """Something could not be measured; says which command failed and where to look."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that ended well.

    Attributes:
        stdout: what it printed.
        seconds: from start to end.
        peak_bytes: its highest resident memory; 0 where the system does not tell.
    """

    stdout: str
    seconds: float
    peak_bytes: int

    @property
    def document(self) -> dict[str, Any]:
        """What a command with `--json` printed."""
        found: dict[str, Any] = json.loads(self.stdout)
        return found


def say(message: str) -> None:
    """Tells the person something, on stderr."""
    sys.stderr.write(f"bench: {message}\n")


def environment(**settings: str | Path) -> dict[str, str]:
    """This process's environment with these `FRONTDESK_` settings and no others."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FRONTDESK_")}
    return kept | {f"FRONTDESK_{name.upper()}": str(value) for name, value in settings.items()}


def frontdesk(arguments: Arguments) -> list[str]:
    """The whole command line."""
    return [str(Path(sys.executable).with_name("frontdesk")), *map(str, arguments)]


def run(arguments: Arguments, data_dir: Path) -> Finished:
    """Runs a sub-command to its end; its progress and its errors go to this process's stderr.

    Args:
        arguments: after `frontdesk`; paths are absolute.
        data_dir: Frontdesk's data folder, where it runs as well, so that no `.env` of a project is read.

    Returns:
        How it went.

    Raises:
        BenchmarkError: it failed.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    peak = 0
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            frontdesk(arguments), cwd=data_dir, env=environment(data_dir=data_dir), stdout=output
        )
        try:
            while process.returncode is None:
                peak = max(peak, resident_bytes(process.pid, peak=True))
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_POLL_SECONDS)
        finally:
            seconds = time.perf_counter() - start
            if process.returncode is None:
                process.kill()
                process.wait()
        if process.returncode:
            raise BenchmarkError(
                f"`{shown(arguments, {})}` ended with code {process.returncode}; the lines above say why."
            )
        output.seek(0)
        return Finished(output.read().decode("utf-8"), seconds, peak)


def shown(arguments: Arguments, names: Mapping[Path, str]) -> str:
    """A command as it is named beside its figures.

    Args:
        arguments: after `frontdesk`.
        names: short names of folders; the first that holds a path is used.

    Returns:
        One line without this machine's paths.
    """
    return " ".join(["frontdesk", *(_short(part, names) for part in arguments)])


def _short(part: str | Path, names: Mapping[Path, str]) -> str:
    if isinstance(part, str):
        return part
    for folder, name in names.items():
        if part.is_relative_to(folder):
            return str(Path(name) / part.relative_to(folder))
    return str(part)
