"""The example shop: trained as `make run` does, measured on its unseen test file, whole and for each language."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.commands import SHOP, Arguments, run, shown
from bench.figures import Figure, Goal, Outcome
from bench.releases import Setup, train_shop

LANGUAGES = ("en", "zh")
_TEST, _QUERIES = "test.jsonl", "faq_queries.jsonl"
_FAQ_FIGURES = (("recall@1", "recall@1"), ("recall@3", "recall@3"), ("MRR@10", "mrr@10"))

Results = list[dict[str, Any]]


def measure(setup: Setup) -> Outcome:
    """Trains once for each seed and evaluates.

    Args:
        setup: the seeds, or a release to take.

    Returns:
        Accuracy, out-of-scope detection, entities, FAQ retrieval, time and memory.
    """
    runs = [train_shop(setup, seed) for seed in (setup.seeds if setup.release is None else setup.seeds[:1])]
    files = {"": SHOP} | {lang: split_by_language(lang, setup.work / f"shop-{lang}") for lang in LANGUAGES}
    results = {lang: [_evaluate(setup, trained.folder, folder) for trained in runs] for lang, folder in files.items()}
    trained_by = runs[0].command
    minutes = tuple(r.minutes for r in runs if r.minutes is not None)
    memory = tuple(r.peak_gb for r in runs if r.peak_gb is not None)
    figures = [figure for lang in LANGUAGES for figure in _language_figures(lang, results[lang], _evaluate_line(lang))]
    return Outcome(
        (
            *figures,
            *_whole_figures(results[""], _evaluate_line("")),
            Figure("shop training", minutes, trained_by, "min", Goal("at most", 4)),
            Figure("shop training, highest memory", memory, trained_by, "GB"),
        )
    )


def split_by_language(lang: str, folder: Path) -> Path:
    """Writes the shop's test file and FAQ queries of one language.

    Args:
        lang: which lines are taken.
        folder: where to.

    Returns:
        The folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in (_TEST, _QUERIES):
        lines = (SHOP / name).read_text("utf-8").split("\n")
        taken = [line for line in lines if line.strip() and json.loads(line)["lang"] == lang]
        (folder / name).write_text("\n".join(taken) + "\n", "utf-8")
    return folder


def _evaluate(setup: Setup, release: Path, files: Path) -> dict[str, Any]:
    arguments: Arguments = [
        "evaluate",
        release,
        "--examples",
        files / _TEST,
        "--faq-queries",
        files / _QUERIES,
        "--json",
    ]
    return run(arguments, setup.work / "evaluate").document


def _evaluate_line(lang: str) -> str:
    folder = Path(f"LINES-IN-{lang.upper()}") if lang else SHOP
    arguments: Arguments = [
        "evaluate",
        "RELEASE",
        "--examples",
        folder / _TEST,
        "--faq-queries",
        folder / _QUERIES,
        "--json",
    ]
    return shown(arguments, {SHOP.parents[1]: ""})


def _language_figures(lang: str, results: Results, command: str) -> list[Figure]:
    return [
        Figure(
            f"shop intent accuracy, {lang}",
            _values(results, "heads", "intent", "accuracy"),
            command,
            goal=Goal("at least", 0.92),
        ),
        Figure(f"shop emotion macro F1, {lang}", _values(results, "heads", "emotion", "macro_f1"), command),
        Figure(f"shop entities F1, {lang}", _values(results, "entities", "f1"), command),
        *(Figure(f"shop FAQ {name}, {lang}", _values(results, "faq", key), command) for name, key in _FAQ_FIGURES),
    ]


def _whole_figures(results: Results, command: str) -> list[Figure]:
    return [
        Figure(
            "shop emotion macro F1",
            _values(results, "heads", "emotion", "macro_f1"),
            command,
            goal=Goal("at least", 0.80),
        ),
        Figure("shop out-of-scope AUROC", _values(results, "oos", "auroc"), command, goal=Goal("at least", 0.93)),
        Figure("shop out-of-scope recall", _values(results, "oos", "recall"), command),
        Figure("shop entities F1", _values(results, "entities", "f1"), command),
    ]


def _values(results: Results, *keys: str) -> tuple[float, ...]:
    """One value for each evaluation that has it."""
    found = []
    for result in results:
        value: Any = result
        for key in keys:
            value = value.get(key, {})
        if isinstance(value, int | float):
            found.append(float(value))
    return tuple(found)
