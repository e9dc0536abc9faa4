"""Trained releases: made once for a run, or kept for the next."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.commands import SHOP, Arguments, run, say, shown
from nlu.manifest import MANIFEST_FILE

_GB = 1e9
_RECORD = "training.json"


@dataclass(frozen=True, slots=True)
class Setup:
    """What every benchmark works with; all paths are absolute.

    Attributes:
        data: the folder of public data sets.
        work: where releases and everything else are made.
        seeds: one training for each.
        release: a trained release of the example shop to take instead of training one.
    """

    data: Path
    work: Path
    seeds: tuple[int, ...]
    release: Path | None = None


@dataclass(frozen=True, slots=True)
class Trained:
    """A release with what its training took.

    Attributes:
        folder: the release.
        command: what trained it.
        minutes: how long; None for a release that was given.
        peak_gb: the highest resident memory in 10^9 bytes; None for a release that was given.
    """

    folder: Path
    command: str
    minutes: float | None = None
    peak_gb: float | None = None


def train(setup: Setup, name: str, arguments: Arguments, seed: int) -> Trained:
    """Trains a release from an empty data folder, or takes the one that the same command left in the work folder.

    Args:
        setup: says where.
        name: of the training, for its folder.
        arguments: of `frontdesk train`, without `--seed` and `--out`.
        seed: of the training.

    Returns:
        The release.
    """
    folder = setup.work / f"{name}-{seed}"
    release = folder / "release"
    command = ["train", *arguments, "--seed", str(seed), "--out", release]
    line = shown(command, {release: "RELEASE", setup.data: "DATA", SHOP.parents[1]: ""})
    kept = _kept(folder, release, line)
    if kept is not None:
        say(f"taking the kept release {release}")
        return kept
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    say(line)
    finished = run(command, folder / "var")
    shutil.rmtree(folder / "var")
    trained = Trained(release, line, finished.seconds / 60, finished.peak_bytes / _GB or None)
    record = asdict(trained) | {"folder": release.name}
    (folder / _RECORD).write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    return trained


def train_shop(setup: Setup, seed: int) -> Trained:
    """The example shop's release, trained as `make run` does, or the one that was given."""
    if setup.release is not None:
        return Trained(setup.release, "a given release")
    arguments: list[str | Path] = ["--examples", SHOP / "examples", "--faq", SHOP / "faq"]
    for option, file in (("--test", "test.jsonl"), ("--faq-queries", "faq_queries.jsonl"), ("--config", "train.yaml")):
        if (SHOP / file).is_file():
            arguments += [option, SHOP / file]
    return train(setup, "shop", arguments, seed)


def _kept(folder: Path, release: Path, command: str) -> Trained | None:
    """What an earlier run left; its record is written last, so an unfinished training has none."""
    try:
        record = json.loads((folder / _RECORD).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    if record.get("command") != command or not (release / MANIFEST_FILE).is_file():
        return None
    return Trained(release, command, record["minutes"], record["peak_gb"])
