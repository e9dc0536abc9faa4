"""`frontdesk train`, `tune`, `evaluate` and `batch`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.bootstrap import release_store
from bot.cli.many_values import ManyValues
from bot.cli.output import data_files, print_json, print_line, say, training_progress
from bot.errors import InputError
from bot.pipeline import understanding_document
from bot.settings import Settings, read_settings
from nlu.durable import write_atomically
from nlu.examples import read_examples
from nlu.releases import verify
from retrieval.faq import read_faq, read_queries
from retrieval.index import FaqIndex

if TYPE_CHECKING:
    from training.config import TrainingConfig
    from training.prepare import TrainingSet

Examples = Annotated[list[Path], typer.Option("--examples", help="Example files, or folders of them; one or more.")]
Faq = Annotated[list[Path] | None, typer.Option("--faq", help="FAQ files, or folders of them; one or more.")]
Test = Annotated[
    list[Path] | None, typer.Option("--test", help="Frozen test examples, measured for the card; one file or more.")
]
Queries = Annotated[Path | None, typer.Option("--faq-queries", help="Queries with the FAQ ids that answer them.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else.")]


def add_commands(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    for command in (train, tune, evaluate):
        app.command(cls=ManyValues)(command)
    app.command()(batch)


def train(
    examples: Examples,
    out: Annotated[Path, typer.Option("--out", help="The release's folder.")],
    faq: Faq = None,
    test: Test = None,
    faq_queries: Queries = None,
    config: Annotated[Path | None, typer.Option("--config", help="A YAML file with training settings.")] = None,
    encoder: Annotated[
        str | None, typer.Option("--encoder", help="A pretrained encoder by name, folder or hub id.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of every random choice.")] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", help="Passes over the examples at most.")] = None,
    teacher: Annotated[
        list[Path] | None,
        typer.Option("--teacher", help="Releases of the same labels to learn from as well; one or more."),
    ] = None,
    layers: Annotated[int | None, typer.Option("--layers", help="Layers of the encoder that stay.")] = None,
    method: Annotated[str | None, typer.Option("--method", help="What learns: full, lora, adalora or ia3.")] = None,
    unlabelled: Annotated[
        Path | None,
        typer.Option("--unlabelled", help="A JSON lines file with a field `text`, which the first teacher labels."),
    ] = None,
) -> None:
    """Train a release; its heads follow from the label fields of the examples."""
    from training.config import read_config
    from training.prepare import TrainingSet
    from training.processes import Processes
    from training.train import train_release

    processes = Processes.join()
    tell = say if processes.first else _nobody
    if processes.count > 1:
        tell(f"{processes.count} processes train together.")
    settings = read_settings()
    training_config = read_config(
        config,
        encoder=encoder,
        seed=seed,
        epochs=epochs,
        languages=set_languages(settings),
        teachers=tuple(path.resolve() for path in teacher) if teacher else None,
        layers=layers,
        method=method,
    )
    entries = read_faq(*data_files(faq)) if faq else []
    known = {entry.id for entry in entries} if faq else None
    training_set = TrainingSet(
        examples=read_examples(*data_files(examples)),
        faq=entries,
        test=read_examples(*data_files(test), keep_duplicates=True) if test else (),
        faq_queries=read_queries(faq_queries, known) if faq_queries else (),
    )
    if unlabelled is not None:
        training_set = with_unlabelled(training_set, unlabelled, training_config, tell)
    with training_progress("Training") if processes.first else nullcontext(_nobody) as report:
        manifest = train_release(training_set, training_config, out, settings.data_dir, report=report)
    for notice in manifest.metrics["notices"]:
        tell(f"Note: {notice}")
    tell(f"Release {manifest.name} is in {out}. See {out / 'card.md'}.")


def set_languages(settings: Settings) -> tuple[str, ...] | None:
    """The languages that the operator has set; None leaves them to the training settings."""
    return settings.languages if "languages" in settings.model_fields_set else None


def with_unlabelled(
    training_set: TrainingSet, source: Path, config: TrainingConfig, tell: Callable[[str], None] = say
) -> TrainingSet:
    """Adds the texts that the first teacher reads with certainty.

    Args:
        training_set: what is learnt from already.
        source: a JSON lines file with a field `text`.
        config: names the teachers and the certainty wanted.
        tell: told how many they are.

    Returns:
        The training set with those texts.

    Raises:
        InputError: there is no teacher, or the file is damaged; names the line.
    """
    from nlu.runtime import load_understander
    from training.evaluate import read_texts
    from training.logged import LoggedTurn
    from training.pseudo_labels import LEAST, pseudo_labelled

    if not config.teachers:
        raise InputError("--unlabelled needs a release that labels the texts. Name one with --teacher.")
    turns = [LoggedTurn(number, str(line["text"])) for number, line in enumerate(_text_lines(source))]
    known = [*training_set.examples, *training_set.test]
    verify(config.teachers[0])
    understander = load_understander(config.teachers[0])
    unsure = pseudo_labelled(partial(read_texts, understander), turns, known, config.pseudo_labels or LEAST)
    tell(f"{len(unsure)} of {len(turns)} unlabelled texts are learnt from.")
    return replace(training_set, unsure=unsure)


def tune(
    examples: Examples,
    out: Annotated[Path, typer.Option("--out", help="The settings file to write, for `train --config`.")],
    faq: Faq = None,
    config: Annotated[Path | None, typer.Option("--config", help="Settings to start from, as a YAML file.")] = None,
    encoder: Annotated[
        str | None, typer.Option("--encoder", help="A pretrained encoder by name, folder or hub id.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of every random choice.")] = None,
    trials: Annotated[int, typer.Option("--trials", min=1, help="Trainings in all.")] = 20,
    minutes: Annotated[float | None, typer.Option("--minutes", min=0.01, help="Start no training after these.")] = None,
) -> None:
    """Search for better training settings on held-out texts; the same command goes on where it stopped."""
    from training.config import read_config
    from training.prepare import TrainingSet
    from training.tune import TrialProgress
    from training.tune import tune as search

    settings = read_settings()
    training_set = TrainingSet(
        examples=read_examples(*data_files(examples)), faq=read_faq(*data_files(faq)) if faq else ()
    )
    start = read_config(config, encoder=encoder, seed=seed, languages=set_languages(settings))
    seconds = None if minutes is None else 60 * minutes
    with training_progress("Searching") as show:

        def report(progress: TrialProgress) -> None:
            show(progress.overall)

        search(training_set, start, out, settings.data_dir, trials=trials, seconds=seconds, report=report)
    say(f"The best settings are in {out}. Train with `frontdesk train --config {out}`.")


def evaluate(
    release: Annotated[str, typer.Argument(help="A release's folder or name, or `current`.")],
    examples: Examples,
    faq: Faq = None,
    faq_queries: Queries = None,
    as_json: AsJson = False,
) -> None:
    """Measure a release on labelled data that it has not seen."""
    from nlu.runtime import load_understander
    from training.evaluate import evaluate as measure

    settings = read_settings()
    understander = load_understander(release_folder(settings, release))
    test = read_examples(*data_files(examples), keep_duplicates=True)
    index = None
    if faq:
        index = FaqIndex.build(read_faq(*data_files(faq)), understander.embed, passages=understander.embed_passages)
    elif faq_queries:
        index = FaqIndex.load(release_folder(settings, release))
    known = {entry.id for entry in index.entries} if index else ()
    queries = read_queries(faq_queries, known) if faq_queries else ()
    result = measure(understander, test, index, queries).to_json()
    if as_json:
        print_json(result)
        return
    print_line(f"texts: {result.pop('n')}")
    result.pop("labels", None)
    for part, figures in result.items():
        print_figures(part, figures)


def batch(
    release: Annotated[str, typer.Option("--release", help="A release's folder or name, or `current`.")],
    source: Annotated[Path, typer.Option("--in", help="A JSON lines file with a field `text`.")],
    out: Annotated[Path, typer.Option("--out", help="The file to write: each line with its understanding added.")],
) -> None:
    """Understand every line of a file."""
    from nlu.runtime import load_understander

    understander = load_understander(release_folder(read_settings(), release))
    lines = _text_lines(source)

    def understood() -> Iterator[bytes]:
        for start in range(0, len(lines), 64):
            chunk = lines[start : start + 64]
            readings = understander.understand([str(line["text"]) for line in chunk])
            for line, reading in zip(chunk, readings, strict=True):
                document = {**line, "understanding": understanding_document(reading)}
                yield json.dumps(document, ensure_ascii=False).encode() + b"\n"

    try:
        write_atomically(out, understood())
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror}). Choose another --out.") from error
    say(f"{len(lines)} texts understood, written to {out}.")


def release_folder(settings: Settings, release: str) -> Path:
    """The verified folder of a release.

    Args:
        settings: the settings in force.
        release: a folder, a name in the release store, or `current`.

    Returns:
        The folder.

    Raises:
        InputError: there is no such release.
    """
    folder = Path(release)
    if release == "current":
        name, warning = release_store(settings).open_current()
        if warning:
            say(warning)
        return release_store(settings).path(name)
    if not (folder / "manifest.json").is_file():
        folder = release_store(settings).path(release)
    if not (folder / "manifest.json").is_file():
        raise InputError(f"{release}: is neither a release folder nor the name of one. See `frontdesk releases list`.")
    verify(folder)
    return folder


def print_figures(name: str, figures: dict[str, Any]) -> None:
    """Prints nested figures, a line each."""
    for key, value in figures.items():
        if isinstance(value, dict):
            print_figures(f"{name}.{key}", value)
        else:
            print_line(f"{name}.{key}: {value:.4f}" if isinstance(value, float) else f"{name}.{key}: {value}")


def _nobody(_: object) -> None:
    """Whom a process tells that is not the first."""


def _text_lines(path: Path) -> list[dict[str, Any]]:
    lines = []
    try:
        content = sys.stdin.read() if str(path) == "-" else path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as UTF-8: {error}.") from error
    for number, raw in enumerate(content.split("\n"), start=1):
        if not raw.strip():
            continue
        try:
            line = json.loads(raw)
            json.dumps(line, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{path}:{number}: is no sound JSON: {error}. Give one object with a field `text` a line."
            ) from error
        if not isinstance(line, dict) or not isinstance(line.get("text"), str):
            raise InputError(
                f"{path}:{number}: field text: expected a string. Give one object with a field `text` a line."
            )
        lines.append(line)
    return lines
