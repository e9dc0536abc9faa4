"""Public data sets beside what was published on them: one training and one evaluation for each set and seed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.banking77 import tfidf_baseline
from bench.commands import Arguments, run, say, shown
from bench.figures import Figure, Goal, Outcome
from bench.releases import Setup, train
from bench.runtime_loss import at, runtime_loss
from bot.errors import FrontdeskError

ENGLISH, MULTILINGUAL = "minilm-l6-en", "e5-small-multilingual"
_COMMAND = "python -m bench sets"
_PARTS = 5
"""A set without a split of its own is cut here: four parts to learn from, the last one to test on."""


@dataclass(frozen=True, slots=True)
class PublicSet:
    """A data set and what is wanted on it.

    Attributes:
        name: for people.
        folder: in the data folder.
        encoder: what is trained.
        goals: what is wanted of a figure of `frontdesk evaluate`, by its path such as `heads/intent/accuracy`; None
            where the figure is only reported.
        train: the training file.
        test: the test file; None for a set without a split, of which the last fifth is tested on, by time where the
            texts have one.
        valid: a file that is held out, where the set has one.
        without: a label that training does not see.
        published: the best result known, for people.
        baseline: the head that TF-IDF with logistic regression is measured on too; empty for none.
        config: settings of the training, where those by default do not fit.
    """

    name: str
    folder: str
    encoder: str
    goals: Mapping[str, Goal | None]
    train: str = "train.jsonl"
    test: str | None = "test.jsonl"
    valid: str | None = None
    without: str = ""
    published: str = ""
    baseline: str = ""
    config: Mapping[str, float] = field(default_factory=dict)


def _least(value: float) -> Goal:
    return Goal("at least", value)


SETS = (
    PublicSet(
        "BANKING77 10-shot",
        "banking77",
        ENGLISH,
        {"heads/intent/accuracy": _least(0.89)},
        train="train_10.jsonl",
        published="CPFT 0.872",
    ),
    PublicSet(
        "BANKING77 5-shot",
        "banking77",
        ENGLISH,
        {"heads/intent/accuracy": _least(0.83)},
        train="train_5.jsonl",
        published="CPFT 0.809, FastFit 0.824",
    ),
    PublicSet(
        "CLINC150",
        "clinc150",
        ENGLISH,
        {
            "heads/intent/accuracy": _least(0.972),
            "heads/intent/ece": Goal("at most", 0.01),
            "oos/auroc": _least(0.985),
            "oos/recall@0.955": _least(0.88),
        },
        valid="valid.jsonl",
        without="oos",
        published="ConvFiT accuracy 0.973, SNGP AUROC 0.969, ECE 0.0104; BERT recall 0.523",
    ),
    PublicSet(
        "emotion (dair-ai)",
        "emotion_dairai",
        ENGLISH,
        {"heads/emotion/accuracy": _least(0.941), "heads/emotion/macro_f1": None},
        valid="valid.jsonl",
        published="BERT-base 0.9405",
    ),
    PublicSet(
        "SMP2020 ECDT",
        "smp2020_ecdt_zh",
        MULTILINGUAL,
        {"heads/intent/accuracy": _least(0.965), "entities/f1": _least(0.85)},
        valid="valid.jsonl",
        published="accuracy 0.9634, slot F1 0.8432",
    ),
    PublicSet(
        "SNIPS",
        "snips",
        MULTILINGUAL,
        {"heads/intent/accuracy": _least(0.987), "entities/f1": _least(0.955)},
        valid="valid.jsonl",
        published="Slot-Gated accuracy 0.970, slot F1 0.888",
    ),
    PublicSet(
        "healthcare NER",
        "healthcare_ner",
        ENGLISH,
        {"entities/token_f1": _least(0.93), "entities/f1": None},
        published="CRF token F1 0.907",
    ),
    PublicSet(
        "SMP2020 EWECT",
        "smp2020_ewect_zh",
        MULTILINGUAL,
        {"heads/emotion/macro_f1": None, "heads/emotion/accuracy": None},
        valid="valid.jsonl",
        baseline="emotion",
    ),
    PublicSet(
        "waimai 10k", "waimai_10k_zh", MULTILINGUAL, {"heads/sentiment/macro_f1": None}, test=None, baseline="sentiment"
    ),
    PublicSet(
        "airline tweets", "airline_tweets", ENGLISH, {"heads/sentiment/macro_f1": None}, test=None, baseline="sentiment"
    ),
    # The vector of two questions in one text has nothing to keep of the pretrained one.
    PublicSet(
        "AFQMC, same or different",
        "afqmc_zh",
        MULTILINGUAL,
        {"heads/intent/accuracy": _least(0.742)},
        test="valid.jsonl",
        published="BERT-base 0.7416",
        baseline="intent",
        config={"anchor": 0.0, "trained_layers": 12, "epochs": 3, "learning_rate": 5e-5},
    ),
)


def measure(setup: Setup, chosen: tuple[str, ...] = ()) -> Outcome:
    """Trains and evaluates on each set, one after the other.

    Args:
        setup: where the data is, and the seeds.
        chosen: folders of the sets to take; all by default.

    Returns:
        The figures of each set; one whose files are missing, or that fails, is told in a note.
    """
    figures: list[Figure] = []
    notes = ["Published: " + "; ".join(f"{s.name}: {s.published}" for s in SETS if s.published) + "."]
    for public in SETS:
        if chosen and public.folder not in chosen:
            continue
        if not (setup.data / public.folder).is_dir():
            notes.append(f"{public.name}: not in the data folder.")
            continue
        try:
            figures += _measure(setup, public)
        except FrontdeskError as error:
            say(f"{public.name} could not be measured: {error}")
            notes.append(f"{public.name}: could not be measured, see what was said while it ran.")
    return Outcome(tuple(figures), tuple(notes))


def _measure(setup: Setup, public: PublicSet) -> list[Figure]:
    say(public.name)
    name = f"{public.folder}-{Path(public.train).stem}"
    known, unseen = files_of(setup.data, public, setup.work / "sets" / name)
    arguments: Arguments = ["--encoder", public.encoder, *(part for path in known for part in ("--examples", path))]
    if public.config:
        config = setup.work / "sets" / name / "config.json"
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(json.dumps(public.config) + "\n", "utf-8")
        arguments += ["--config", config]
    runs = [train(setup, name, arguments, seed) for seed in setup.seeds]
    results = []
    for trained in runs:
        evaluation: Arguments = ["evaluate", trained.folder, "--examples", unseen, "--json"]
        results.append(run(evaluation, setup.work / "evaluate").document)
    names = {runs[-1].folder: "RELEASE", setup.data: "DATA", setup.work: "WORK"}
    command = shown(evaluation, names)
    figures = [
        Figure(
            f"{public.name} {path.removeprefix('heads/')}",
            tuple(at(result, path) for result in results),
            command,
            goal=goal,
        )
        for path, goal in public.goals.items()
    ]
    compared = [path for path in public.goals if path.endswith(("accuracy", "f1"))]
    figures += runtime_loss(public.name, [trained.folder for trained in runs], unseen, results, compared)
    if public.baseline:
        simple = tfidf_baseline(known[0], unseen, public.baseline)
        figures.append(Figure(f"{public.name} macro F1, TF-IDF + logistic regression", (simple.macro_f1,), _COMMAND))
    minutes = tuple(trained.minutes for trained in runs if trained.minutes is not None)
    figures.append(Figure(f"{public.name} training", minutes, runs[0].command, "min"))
    return figures


def files_of(data: Path, public: PublicSet, work: Path) -> tuple[list[Path], Path]:
    """The files to learn from and the one to test on.

    Args:
        data: the folder of public data sets.
        public: the set.
        work: where files are made if the set's own will not do.

    Returns:
        Training files and the test file.
    """
    folder = data / public.folder
    if public.test is None:
        return _cut(folder / "all.jsonl", work)
    known = [folder / public.train]
    if "text_a" in read_lines(known[0])[0]:
        return [_pairs(known[0], work)], _pairs(folder / public.test, work)
    if public.valid is None and not public.without:
        return known, folder / public.test
    work.mkdir(parents=True, exist_ok=True)
    made = []
    for file, extra in ((public.train, {}), *([(public.valid, {"split": "valid"})] if public.valid else [])):
        lines = read_lines(folder / file)
        write_lines(
            work / file, [line | extra for line in lines if not public.without or line["intent"] != public.without]
        )
        made.append(work / file)
    return made, folder / public.test


def _pairs(path: Path, work: Path) -> Path:
    """Pairs of questions as one text each, which means either `same` or `different`."""
    work.mkdir(parents=True, exist_ok=True)
    lines = [
        {
            "text": f"{line['text_a']} | {line['text_b']}",
            "intent": "same" if line["same"] else "different",
            "lang": line["lang"],
        }
        for line in read_lines(path)
    ]
    write_lines(work / path.name, lines)
    return work / path.name


def _cut(path: Path, work: Path) -> tuple[list[Path], Path]:
    """The first four fifths and the last, by time where the texts have one, else every fifth text."""
    work.mkdir(parents=True, exist_ok=True)
    lines = read_lines(path)
    if "created" in lines[0]:
        lines.sort(key=lambda line: datetime.strptime(line["created"], "%m/%d/%Y %H:%M"))  # noqa: DTZ007
        border = len(lines) - len(lines) // _PARTS
        known, unseen = lines[:border], lines[border:]
    else:
        unseen = lines[::_PARTS]
        known = [line for place, line in enumerate(lines) if place % _PARTS]
    said = {line["text"] for line in unseen}
    write_lines(work / "train.jsonl", [line for line in known if line["text"] not in said])
    write_lines(work / "test.jsonl", unseen)
    return [work / "train.jsonl"], work / "test.jsonl"


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON lines file."""
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line.strip()]


def write_lines(path: Path, lines: list[dict[str, Any]]) -> None:
    """Writes objects as a JSON lines file."""
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), "utf-8")
