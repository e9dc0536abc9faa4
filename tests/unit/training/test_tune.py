from __future__ import annotations

from pathlib import Path

import optuna
import pytest

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
