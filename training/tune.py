"""Hyper-parameter search with Optuna: trainings with other settings, judged by held-out texts, the weak ones pruned.

The search is kept in a journal beside the result, so the same command goes on where it stopped.
"""

from __future__ import annotations

import copy
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from nlu.durable import write_atomically
from nlu.examples import fingerprint
from nlu.types import InputError
from training.config import TrainingConfig
from training.fit import Progress
from training.learn import learn
from training.prepare import TrainingSet, prepare
from training.recipe import choose_recipe

if TYPE_CHECKING:
    import optuna

_EARLY_TRIALS = 4
"""Trials that run to their end before any is pruned."""


@dataclass(frozen=True, slots=True)
class TrialProgress:
    """How far a search is.

    Attributes:
        number: the trial under way, from 1.
        trials: trials in all.
        settings: what it tries.
        training: how far its training is.
        best: the best held-out score so far, 0 to 1.
    """

    number: int
    trials: int
    settings: dict[str, Any]
    training: Progress
    best: float

    @property
    def overall(self) -> Progress:
        """The whole search as one progress: its step counts trials in thousandths, its score is the best so far."""
        share = self.training.step / self.training.steps
        step = int(1000 * (self.number - 1 + share))
        return Progress(step, 1000 * self.trials, self.training.epoch, self.training.loss, self.best)


def tune(
    training_set: TrainingSet,
    config: TrainingConfig,
    out: Path,
    data_dir: Path,
    *,
    trials: int,
    seconds: float | None = None,
    report: Callable[[TrialProgress], None] = lambda _: None,
) -> TrainingConfig:
    """Searches for settings and writes the best as a file that `frontdesk train --config` takes.

    Args:
        training_set: what to learn from; the test set plays no part.
        config: the settings that the search starts from and those that it leaves alone.
        out: the file to write; the journal is beside it.
        data_dir: where unpacked encoders are kept.
        trials: trials in all, those of an earlier search with the same data and settings counted.
        seconds: when to start no further trial; None for never.
        report: told the progress.

    Returns:
        The best settings.

    Raises:
        InputError: Optuna is not installed, the file cannot be written, or no trial came to its end.
    """
    try:
        import optuna
    except ImportError as error:
        raise InputError(
            "Searching needs the package optuna. Install it with `pip install 'frontdesk[train]'`."
        ) from error
    # Its warnings show a traceback where somebody stops the search.
    logging.getLogger("optuna").setLevel(logging.ERROR)
    config = choose_recipe(config, training_set)
    storage = _storage(out)
    prepared = prepare(training_set, config, data_dir)
    if not prepared.held:
        raise InputError(
            f"Nothing is held out of {len(prepared.examples)} examples, so that nothing tells which settings are best. "
            "Give more examples, mark some with the split `valid`, or raise `holdout`."
        )
    fresh = prepared.reader(config)
    study = optuna.create_study(
        storage=storage,
        study_name=_name(training_set, config),
        load_if_exists=True,
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_EARLY_TRIALS),
    )
    # A search that goes on must not draw the same settings again.
    study.sampler = optuna.samplers.TPESampler(seed=(config.seed + len(study.trials)) % 2**32)
    start = {name: getattr(config, name) for name in _SPACE}
    done = _enqueue(study, start)

    def attempt(trial: optuna.Trial) -> float:
        settings = {name: suggest(trial, name, start[name]) for name, suggest in _SPACE.items()}
        wanted = config.model_copy(update=settings)
        reader = copy.deepcopy(fresh)
        reader.dropout.p = wanted.dropout
        seen = [0]

        def watch(progress: Progress) -> None:
            best = max((t.value for t in study.trials if t.value is not None), default=0.0)
            report(TrialProgress(trial.number + 1, trials, settings, progress, best))
            if progress.epoch > seen[0] + 1:
                seen[0] = progress.epoch - 1
                trial.report(progress.score, seen[0])
                if trial.should_prune():
                    raise optuna.TrialPruned

        return learn(prepared, reader, wanted, report=watch)

    if done < trials:
        study.optimize(attempt, n_trials=trials - done, timeout=seconds)
    try:
        best = config.model_copy(update=study.best_params)
    except ValueError as error:
        raise InputError("No trial came to its end. Give the search more --minutes.") from error
    document = best.model_dump(mode="json", exclude={"threads"}, exclude_defaults=True)
    text = f"# Held-out score {study.best_value:.4f}, the best of {len(study.trials)} trials.\n"
    try:
        write_atomically(out, [(text + yaml.safe_dump(document, allow_unicode=True)).encode()])
    except OSError as error:
        raise InputError(
            f"{out}: cannot be written ({error.strerror}). Run the same command again where it can; nothing is lost."
        ) from error
    return best


Suggest = Callable[["optuna.Trial", str, Any], Any]
"""Suggests a value for a setting, told what the search starts from, which is always within reach."""


def _number(low: float, high: float, *, log: bool = False) -> Suggest:
    return lambda trial, name, start: trial.suggest_float(name, min(low, start), max(high, start), log=log)


def _count(low: int, high: int) -> Suggest:
    return lambda trial, name, start: trial.suggest_int(name, min(low, start), max(high, start))


def _choice(*choices: float) -> Suggest:
    return lambda trial, name, start: trial.suggest_categorical(name, sorted({*choices, start}))


_SPACE: dict[str, Suggest] = {
    "learning_rate": _number(2e-5, 1e-3, log=True),
    "head_learning_rate": _number(1e-4, 1e-2, log=True),
    "epochs": _count(2, 12),
    "batch_size": _choice(16, 32, 64),
    "anchor": _number(0.0, 10.0),
    "label_smoothing": _number(0.0, 0.2),
    "dropout": _number(0.0, 0.4),
    "ema": _choice(0.0, 0.98, 0.99, 0.995),
}


def _storage(out: Path) -> optuna.storages.BaseStorage:
    """The journal of a search, beside the file that it will write."""
    import optuna
    from optuna.storages.journal import JournalFileBackend

    journal = out.with_suffix(".journal")
    if out.is_dir() or out == journal:
        raise InputError(f"{out}: expected the name of a settings file such as train.yaml. Choose another --out.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        return optuna.storages.JournalStorage(JournalFileBackend(str(journal)))
    except OSError as error:
        raise InputError(f"{out}: cannot be written there ({error.strerror}). Choose another --out.") from error


def _enqueue(study: optuna.Study, start: dict[str, Any]) -> int:
    """Has the start tried next unless a trial with it is done or waits; returns how many trials are done."""
    import optuna

    state = optuna.trial.TrialState
    done = study.get_trials(states=[state.COMPLETE, state.PRUNED])
    if start not in [trial.params for trial in done] and not study.get_trials(states=[state.WAITING]):
        study.enqueue_trial(start)
    return len(done)


def _name(training_set: TrainingSet, config: TrainingConfig) -> str:
    """The same for the same data and settings."""
    parts = (fingerprint(training_set.examples), *(entry.id for entry in training_set.faq), config.model_dump_json())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
