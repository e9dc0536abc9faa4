"""Logs of training runs: TensorBoard where it is installed, Weights & Biases where it is configured."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nlu.types import InputError
from training.config import TrainingConfig
from training.fit import Progress

WANDB_PROJECT = "WANDB_PROJECT"

_EVERY = 10


@contextmanager
def run_log(folder: Path, config: TrainingConfig) -> Iterator[Callable[[Progress], None]]:
    """Opens the logs of a run.

    TensorBoard writes into `folder` if the package `tensorboard` is there. Weights & Biases is told as well if the
    environment variable WANDB_PROJECT names a project.

    Args:
        folder: of this run alone; made when first written to.
        config: the run's settings, which are logged with it.

    Yields:
        What the training reports to.

    Raises:
        InputError: WANDB_PROJECT is set but the package `wandb` is not installed, or the folder cannot be made.
    """
    logs: list[Callable[[Progress], None]] = []
    closing: list[Callable[[], object]] = []
    for opened in (_tensorboard(folder), _wandb(folder, config)):
        if opened is not None:
            logs.append(opened[0])
            closing.append(opened[1])

    def log(progress: Progress) -> None:
        if progress.step % _EVERY == 0 or progress.step == progress.steps:
            for write in logs:
                write(progress)

    try:
        yield log
    finally:
        for close in closing:
            close()


def _tensorboard(folder: Path) -> tuple[Callable[[Progress], None], Callable[[], object]] | None:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    try:
        writer: Any = SummaryWriter(str(folder))
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written ({error.strerror}). Let FRONTDESK_DATA_DIR name a folder that can."
        ) from error

    def write(progress: Progress) -> None:
        writer.add_scalar("loss", progress.loss, progress.step)
        writer.add_scalar("held-out score", progress.score, progress.step)
        writer.add_scalar("epoch", progress.epoch, progress.step)

    return write, writer.close


def _wandb(folder: Path, config: TrainingConfig) -> tuple[Callable[[Progress], None], Callable[[], object]] | None:
    project = os.environ.get(WANDB_PROJECT)
    if not project:
        return None
    try:
        import wandb
    except ImportError as error:
        raise InputError(
            f"{WANDB_PROJECT} is set, but the package wandb is not installed. Run `pip install wandb` or unset it."
        ) from error
    folder.mkdir(parents=True, exist_ok=True)
    run: Any = wandb.init(project=project, name=folder.name, dir=str(folder), config=config.model_dump(mode="json"))

    def write(progress: Progress) -> None:
        figures = {"loss": progress.loss, "held-out score": progress.score, "epoch": progress.epoch}
        run.log(figures, step=progress.step)

    return write, run.finish
