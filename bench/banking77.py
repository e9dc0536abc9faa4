"""BANKING77, full training set: accuracy, what training does to FAQ retrieval, and what simple means reach."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from bench.commands import run, say, shown
from bench.figures import Figure, Goal, Outcome
from bench.pretrained import faq_before_training
from bench.releases import Setup, train
from nlu.examples import read_examples

ENCODER = "minilm-l6-en"
_COMMAND = "python -m bench banking77"


@dataclass(frozen=True, slots=True)
class Baseline:
    """TF-IDF with logistic regression.

    Attributes:
        accuracy: on the test file.
        seconds: of its training.
    """

    accuracy: float
    seconds: float


def needed_files(data: Path) -> tuple[Path, ...]:
    """The files of the data folder that this benchmark reads: train, test, FAQ, queries."""
    return (
        data / "banking77" / "train.jsonl",
        data / "banking77" / "test.jsonl",
        data / "stackfaq" / "faq.jsonl",
        data / "stackfaq" / "queries.jsonl",
    )


def measure(setup: Setup) -> Outcome:
    """Trains once for each seed, and measures the baselines in the same run.

    Args:
        setup: where the data is, and the seeds.

    Returns:
        Accuracy, FAQ retrieval, time and memory.
    """
    train_file, test_file, faq, queries = needed_files(setup.data)
    say("TF-IDF with logistic regression")
    simple = tfidf_baseline(train_file, test_file)
    say("FAQ retrieval with the pretrained vectors")
    before = faq_before_training(ENCODER, faq, queries, setup.work / "encoders")

    runs = [train(setup, "banking77", ["--encoder", ENCODER, "--examples", train_file], seed) for seed in setup.seeds]
    results = []
    for trained in runs:
        arguments: list[str | Path] = ["evaluate", trained.folder, "--examples", test_file]
        arguments += ["--faq", faq, "--faq-queries", queries, "--json"]
        evaluated = shown(arguments, {trained.folder: "RELEASE", setup.data: "DATA"})
        results.append(run(arguments, setup.work / "evaluate").document)
    heads = [result["heads"]["intent"] for result in results]
    trained_by = runs[0].command
    minutes = tuple(r.minutes for r in runs if r.minutes is not None)
    memory = tuple(r.peak_gb for r in runs if r.peak_gb is not None)
    return Outcome(
        (
            Figure("BANKING77 accuracy", _each(heads, "accuracy"), evaluated, goal=Goal("at least", 0.94)),
            Figure("BANKING77 macro F1", _each(heads, "macro_f1"), evaluated),
            Figure("BANKING77 calibration error", _each(heads, "ece"), evaluated),
            Figure("BANKING77 accuracy, TF-IDF + logistic regression", (simple.accuracy,), _COMMAND),
            Figure("stackfaq MAP, pretrained vectors", (before["map"],), _COMMAND),
            Figure(
                "stackfaq MAP after training",
                _each([result["faq"] for result in results], "map"),
                evaluated,
                goal=Goal("at least", 0.95),
            ),
            Figure("BANKING77 training", minutes, trained_by, "min", Goal("at most", 15)),
            Figure("BANKING77 training, highest memory", memory, trained_by, "GB"),
            Figure("BANKING77 training, TF-IDF + logistic regression", (simple.seconds,), _COMMAND, "s"),
        )
    )


def tfidf_baseline(train_file: Path, test_file: Path) -> Baseline:
    """Words and pairs of words, weighted by TF-IDF, and a multinomial logistic regression; nothing in it is random.

    Args:
        train_file: labelled examples.
        test_file: labelled examples.

    Returns:
        How well and how fast.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    known, unseen = read_examples(train_file), read_examples(test_file, keep_duplicates=True)
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=10.0, max_iter=1000)
    )
    start = time.perf_counter()
    model.fit([e.text for e in known], [e.labels["intent"] for e in known])
    seconds = time.perf_counter() - start
    accuracy = model.score([e.text for e in unseen], [e.labels["intent"] for e in unseen])
    return Baseline(float(accuracy), seconds)


def _each(parts: list[dict[str, float]], key: str) -> tuple[float, ...]:
    return tuple(part[key] for part in parts)
