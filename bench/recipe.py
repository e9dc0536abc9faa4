"""Which parts of the training recipe earn their place: one training for each change, judged on texts held out here.

The texts are cut from BANKING77's training file, and each one's label is known to the comparison alone; the test file
is not read.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import yaml

from bench.banking77 import ENCODER
from bench.commands import run, say, shown
from bench.figures import Figure, Outcome
from bench.public_sets import read_lines, write_lines
from bench.releases import Setup, Trained, train
from nlu.runtime import GRAPH_FILE

_UNSEEN = 1500
_NEXT_TEACHER = 100
"""From the seed of one teacher to that of the next; the seeds of a bench lie closer together."""


@dataclass(frozen=True, slots=True)
class Change:
    """A training that differs from the default recipe.

    Attributes:
        name: for people.
        settings: of `frontdesk train`, over the defaults.
        teachers: from how many releases of the default recipe, each with its own seed, it learns.
        shots: how many examples an intent it learns from; 0 for all.
        unlabelled: whether the other texts are learnt without their labels, as the first teacher reads them.
    """

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    teachers: int = 0
    shots: int = 0
    unlabelled: bool = False


CHANGES = (
    Change("default"),
    Change("no anchor", {"anchor": 0.0}),
    Change("anchor 8", {"anchor": 8.0}),
    Change("no label smoothing", {"label_smoothing": 0.0}),
    Change("last weights instead of EMA", {"ema": 0.0}),
    Change("SWA over the last quarter", {"swa": 0.25}),
    Change("layer decay 0.9", {"layer_decay": 0.9}),
    Change("class balance 0.5", {"class_balance": 0.5}),
    Change("doubted labels at a third", {"doubted": 0.33}),
    Change("held-out texts learnt as well", {"learn_held_out": 1000}),
    Change("8 epochs", {"epochs": 8}),
    Change("supervised contrastive 0.1", {"contrastive": 0.1}),
    Change("R-Drop 0.5", {"rdrop": 0.5}),
    Change("adversarial 0.02", {"adversarial": 0.02}),
    Change("learns from its like", teachers=1),
    Change("learns from three of its like", teachers=3),
    Change("LoRA", {"method": "lora", "learning_rate": 1e-3}),
    Change("AdaLoRA", {"method": "adalora", "learning_rate": 1e-3}),
    Change("IA3", {"method": "ia3", "learning_rate": 1e-2}),
    Change("3 of 6 layers", {"layers": 3}),
    Change("3 of 6 layers with teacher", {"layers": 3}, teachers=1),
    Change("5-shot", shots=5),
    Change("5-shot not drawn together first", {"contrastive_first": 0}, shots=5),
    Change("5-shot as with all examples", {"contrastive_first": 0, "epochs": 5}, shots=5),
    Change("5-shot without held-out texts", {"learn_held_out": 0}, shots=5),
    Change("5-shot without names of labels", {"label_names": 0}, shots=5),
    Change("5-shot heads alone", {"trained_layers": 0}, shots=5),
    Change("5-shot with slips", {"noise": 1.0}, shots=5),
    Change("5-shot with synonyms", {"synonyms": 1.0}, shots=5),
    Change("5-shot with unlabelled texts", teachers=1, shots=5, unlabelled=True),
)


def measure(setup: Setup, chosen: tuple[str, ...] = ()) -> Outcome:
    """Trains once for each change and seed.

    Args:
        setup: where the data is, and the seeds.
        chosen: names of changes to take; all by default.

    Returns:
        Accuracy on the texts held out, FAQ retrieval, time, size and latency of each.
    """
    known, unseen = cut(setup.data / "banking77" / "train.jsonl", setup.work / "recipe")
    faq = setup.data / "stackfaq"
    figures: list[Figure] = []
    for change in CHANGES:
        if chosen and change.name not in chosen:
            continue
        say(change.name)
        runs = [_train(setup, change, known, seed) for seed in setup.seeds]
        results = []
        for trained in runs:
            arguments: list[str | Path] = ["evaluate", trained.folder, "--examples", unseen, "--json"]
            arguments += ["--faq", faq / "faq.jsonl", "--faq-queries", faq / "queries.jsonl"]
            results.append(run(arguments, setup.work / "evaluate").document)
        command = shown(arguments, {runs[-1].folder: "RELEASE", setup.data: "DATA", setup.work: "WORK"})
        minutes = tuple(trained.minutes for trained in runs if trained.minutes is not None)
        size = tuple((trained.folder / GRAPH_FILE).stat().st_size / 1e6 for trained in runs)
        figures += [
            Figure(f"{change.name}: accuracy", tuple(r["heads"]["intent"]["accuracy"] for r in results), command),
            Figure(f"{change.name}: stackfaq MAP", tuple(r["faq"]["map"] for r in results), command),
            Figure(f"{change.name}: training", minutes, runs[0].command, "min"),
            Figure(f"{change.name}: size", size, runs[0].command, "MB"),
            Figure(f"{change.name}: one message, p50", tuple(r["speed"]["p50_ms"] for r in results), command, "ms"),
        ]
    return Outcome(tuple(figures), (f"Accuracy is on {_UNSEEN} texts cut from BANKING77's training file.",))


def cut(path: Path, work: Path) -> tuple[Path, Path]:
    """Splits a training file by chance, always in the same way.

    Args:
        path: labelled examples.
        work: where the two files are written.

    Returns:
        The file to learn from, and the one to judge by.
    """
    work.mkdir(parents=True, exist_ok=True)
    lines = read_lines(path)
    Random(0).shuffle(lines)
    said = {line["text"] for line in lines[:_UNSEEN]}
    write_lines(work / "unseen.jsonl", lines[:_UNSEEN])
    write_lines(work / "train.jsonl", [line for line in lines[_UNSEEN:] if line["text"] not in said])
    return work / "train.jsonl", work / "unseen.jsonl"


def few(known: Path, shots: int, seed: int) -> Path:
    """Draws a few examples of every intent.

    Args:
        known: labelled examples.
        shots: how many of each.
        seed: of the draw.

    Returns:
        The file with them, beside `known`.
    """
    lines = read_lines(known)
    Random(seed).shuffle(lines)
    taken: Counter[str] = Counter()
    drawn = []
    for line in lines:
        taken[line["intent"]] += 1
        if taken[line["intent"]] <= shots:
            drawn.append(line)
    path = known.with_name(f"train-{shots}-{seed}.jsonl")
    write_lines(path, drawn)
    return path


def _train(setup: Setup, change: Change, known: Path, seed: int) -> Trained:
    name = f"recipe-{change.name.replace(' ', '-')}"
    examples = few(known, change.shots, seed) if change.shots else known
    arguments: list[str | Path] = ["--encoder", ENCODER, "--examples", examples]
    if change.settings:
        config = setup.work / "recipe" / f"{name}.yaml"
        config.write_text(yaml.safe_dump(change.settings), "utf-8")
        arguments += ["--config", config]
    for more in range(change.teachers):
        like = Change("5-shot" if change.shots else "default", shots=change.shots)
        arguments += ["--teacher", _train(setup, like, known, seed + _NEXT_TEACHER * more).folder]
    if change.unlabelled:
        arguments += ["--unlabelled", known]
    return train(setup, name, arguments, seed)
