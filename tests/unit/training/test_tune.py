from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import optuna
import pytest

import training.tune as subject
from nlu.types import InputError
from tests.unit.training.test_train import config, examples, little_bert
from training.config import TrainingConfig, read_config
from training.prepare import TrainingSet
from training.tune import TrialProgress, tune

__all__ = ["little_bert"]


def search(
    folder: Path, little_bert: Path, trials: int, seconds: float | None = None
) -> tuple[TrainingConfig, list[TrialProgress]]:
    seen: list[TrialProgress] = []
    start = config(little_bert).model_copy(update={"holdout": 0.3})
    best = tune(
        TrainingSet(examples()), start, folder / "best.yaml", folder, trials=trials, seconds=seconds, report=seen.append
    )
    return best, seen


def test_a_search_goes_on_where_it_stopped_and_its_file_trains(little_bert: Path, tmp_path: Path) -> None:
    _, first = search(tmp_path, little_bert, 1)
    assert {progress.number for progress in first} == {1}
    assert first[0].settings["anchor"] == TrainingConfig().anchor
    best, then = search(tmp_path, little_bert, 3)
    assert {progress.number for progress in then} == {2, 3}
    steps = [progress.overall.step for progress in [*first, *then]]
    assert steps == sorted(steps)
    assert 0 < then[-1].best <= 1
    assert search(tmp_path, little_bert, 3)[1] == []
    file = tmp_path / "best.yaml"
    assert read_config(file) == best
    assert file.read_text("utf-8").startswith("# Held-out score ")


def test_weak_trials_are_pruned(little_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optuna.Trial, "should_prune", lambda trial: trial.number > 0)
    best, seen = search(tmp_path, little_bert, 2)
    assert best.anchor == TrainingConfig().anchor
    assert max(progress.training.epoch for progress in seen if progress.number == 2) == 2


def test_without_a_finished_trial_the_search_says_so(little_bert: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--minutes"):
        search(tmp_path, little_bert, 1, seconds=0.0)


@pytest.fixture
def trial_scores(monkeypatch: pytest.MonkeyPatch) -> list[TrainingConfig]:
    """What each trial wants; none is trained."""
    seen: list[TrainingConfig] = []

    def learn(_: object, __: object, config: TrainingConfig, **___: object) -> float:
        seen.append(config)
        return 0.5

    monkeypatch.setattr(subject, "learn", learn)
    return seen


def look(folder: Path, little_bert: Path, trials: int, **settings: Any) -> None:
    start = config(little_bert).model_copy(update={"holdout": 0.3, **settings})
    tune(TrainingSet(examples()), start, folder / "best.yaml", folder, trials=trials)


def test_a_search_that_goes_on_tries_nothing_twice(
    little_bert: Path, tmp_path: Path, trial_scores: list[TrainingConfig]
) -> None:
    look(tmp_path, little_bert, 3)
    look(tmp_path, little_bert, 6)
    assert len({wanted.model_dump_json() for wanted in trial_scores}) == 6


def test_the_start_is_tried_again_where_its_trial_was_interrupted(
    little_bert: Path,
    tmp_path: Path,
    trial_scores: list[TrainingConfig],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stop(*_: object, **__: object) -> float:
        raise KeyboardInterrupt

    told: list[logging.LogRecord] = []
    monkeypatch.setattr(logging.getLogger("optuna.study._optimize"), "handle", told.append)
    whole = subject.learn
    monkeypatch.setattr(subject, "learn", stop)
    with pytest.raises(KeyboardInterrupt):
        look(tmp_path, little_bert, 2)
    monkeypatch.setattr(subject, "learn", whole)
    assert not told
    look(tmp_path, little_bert, 2)
    assert len(trial_scores) == 2
    assert trial_scores[0].learning_rate == config(little_bert).learning_rate


def test_a_search_may_start_from_settings_that_it_would_not_try(
    little_bert: Path, tmp_path: Path, trial_scores: list[TrainingConfig]
) -> None:
    unusual = {"batch_size": 8, "ema": 0.9, "epochs": 1, "learning_rate": 1e-6}
    look(tmp_path, little_bert, 1, **unusual)
    assert trial_scores[0].model_dump(include=set(unusual)) == unusual


def test_a_folder_as_the_result_is_refused_before_the_search(
    little_bert: Path, tmp_path: Path, trial_scores: list[TrainingConfig]
) -> None:
    (tmp_path / "best.yaml").mkdir()
    with pytest.raises(InputError, match="expected the name of a settings file"):
        look(tmp_path, little_bert, 1)
    assert not trial_scores


def test_a_search_needs_held_out_texts(little_bert: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Nothing is held out of 120 examples"):
        look(tmp_path, little_bert, 1, holdout=0.001)
