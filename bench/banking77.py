"""BANKING77, full training set: accuracy, what training does to FAQ retrieval, and what simple means reach."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.commands import run, say, shown
from bench.figures import Figure, Goal, Outcome
from bench.pretrained import faq_before_training
from bench.releases import Setup, train
from bench.runtime_loss import runtime_loss
from nlu.examples import read_examples

ENCODER = "minilm-l6-en"
_COMMAND = "python -m bench banking77"


@dataclass(frozen=True, slots=True)
class Baseline:
    """TF-IDF with logistic regression.

    Attributes:
        accuracy: on the test file.
        macro_f1: there as well.
        seconds: of its training.
    """

    accuracy: float
    macro_f1: float
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
            Figure("BANKING77 accuracy", _each(heads, "accuracy"), evaluated, goal=Goal("at least", 0.95)),
            *runtime_loss(
                "BANKING77", [trained.folder for trained in runs], test_file, results, ["heads/intent/accuracy"]
            ),
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
            Figure("BANKING77 training", minutes, trained_by, "min", Goal("at most", 20)),
            Figure("BANKING77 training, highest memory", memory, trained_by, "GB"),
            Figure("BANKING77 training, TF-IDF + logistic regression", (simple.seconds,), _COMMAND, "s"),
        ),
        ("Published on BANKING77: BERT-large 0.937, ConvFiT 0.942.",),
    )


def tfidf_baseline(train_file: Path, test_file: Path, head: str = "intent") -> Baseline:
    """TF-IDF and a multinomial logistic regression, on words and pairs of words, in Chinese on up to three characters.

    Args:
        train_file: labelled examples.
        test_file: labelled examples.
        head: the label that is learnt.

    Returns:
        How well and how fast; nothing in it is random.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import f1_score
    from sklearn.pipeline import make_pipeline

    known, unseen = read_examples(train_file), read_examples(test_file, keep_duplicates=True)
    chinese = known[0].lang == "zh"
    words = TfidfVectorizer(
        analyzer="char" if chinese else "word", ngram_range=(1, 3 if chinese else 2), sublinear_tf=True
    )
    model = make_pipeline(words, LogisticRegression(C=10.0, max_iter=1000))
    start = time.perf_counter()
    model.fit([e.text for e in known], [e.labels[head] for e in known])
    seconds = time.perf_counter() - start
    guess = model.predict([e.text for e in unseen])
    truth = [e.labels[head] for e in unseen]
    return Baseline(
        float(np.mean([right == said for right, said in zip(truth, guess, strict=True)])),
        float(f1_score(truth, guess, average="macro")),
        seconds,
    )


def _each(parts: list[dict[str, float]], key: str) -> tuple[float, ...]:
    return tuple(part[key] for part in parts)
