from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from nlu.types import InputError
from training.config import TrainingConfig
from training.fit import Progress
from training.run_log import run_log

CONFIG = TrainingConfig(epochs=3)


def test_tensorboard_gets_every_tenth_step_and_the_last(tmp_path: Path) -> None:
    with run_log(tmp_path / "run", CONFIG) as log:
        for step in range(1, 26):
            log(Progress(step, 25, 1, 1.0 / step, 0.5))
    events = EventAccumulator(str(tmp_path / "run")).Reload()
    assert [event.step for event in events.Scalars("loss")] == [10, 20, 25]
    assert events.Scalars("loss")[0].value == pytest.approx(0.1)
    assert events.Scalars("held-out score")[-1].value == pytest.approx(0.5)


def test_weights_and_biases_is_told_where_it_is_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []

    def init(**arguments: Any) -> SimpleNamespace:
        told.append((arguments["project"], arguments["name"], arguments["config"]["epochs"]))
        return SimpleNamespace(
            log=lambda figures, step: told.append((step, figures["loss"])), finish=lambda: told.append("finished")
        )

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init))
    monkeypatch.setenv("WANDB_PROJECT", "shop")
    with run_log(tmp_path / "run", CONFIG) as log:
        log(Progress(10, 20, 1, 0.5, 0.0))
    assert told == [("shop", "run", 3), (10, 0.5), "finished"]


def test_a_configured_service_without_its_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    monkeypatch.setenv("WANDB_PROJECT", "shop")
    with pytest.raises(InputError, match="pip install wandb"), run_log(tmp_path / "run", CONFIG):
        pass
