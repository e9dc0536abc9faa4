"""What the fast runtime costs in accuracy: a release read by its graph and by the model that was trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from bench.figures import Figure, Goal
from nlu.batching import BatchingEngine
from nlu.examples import read_examples
from nlu.manifest import read_manifest
from nlu.runtime import ENCODER_FOLDER, ReleaseUnderstander, load_calibration
from nlu.torch_engine import TorchEngine, load_reader
from training.evaluate import evaluate

BEARABLE = 0.002


def runtime_loss(
    name: str, folders: Sequence[Path], test: Path, served: Sequence[Mapping[str, Any]], paths: Sequence[str]
) -> list[Figure]:
    """Evaluates releases with the model in torch and compares.

    Args:
        name: of the data set, for people.
        folders: the releases, one a seed.
        test: the examples that they were evaluated on.
        served: what `frontdesk evaluate` said of each, with the graph that serves.
        paths: which figures to compare, such as `heads/intent/accuracy`.

    Returns:
        One figure a path: what the graph loses, below 0 where it gains.
    """
    examples = read_examples(test, keep_duplicates=True)
    trained = [evaluate(in_torch(folder), examples).to_json() for folder in folders]
    command = f"python -m bench, {test.name} read in torch and by the graph"
    return [
        Figure(
            f"{name} {path.removeprefix('heads/')}, lost by the fast runtime",
            tuple(at(before, path) - at(after, path) for before, after in zip(trained, served, strict=True)),
            command,
            goal=Goal("at most", BEARABLE),
        )
        for path in paths
    ]


def in_torch(folder: Path) -> ReleaseUnderstander:
    """A release read by the model that was trained, in full precision.

    Args:
        folder: a release.

    Returns:
        The reader, with the calibration that the release has.
    """
    manifest = read_manifest(folder)
    tokenizer = Tokenizer.from_file(str(folder / ENCODER_FOLDER / "tokenizer.json"))
    engine = BatchingEngine(TorchEngine(load_reader(folder, manifest)[0]))
    return ReleaseUnderstander(manifest, tokenizer, engine, load_calibration(folder))


def at(document: Mapping[str, Any], path: str) -> float:
    """The value at a path such as `heads/intent/accuracy`."""
    found: Any = document
    for key in path.split("/"):
        found = found[key]
    return float(found)
