"""Checkpoints: an interrupted run goes on where it was, to the same result."""

from __future__ import annotations

import json
import logging
import pickle
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from nlu.types import ReleaseError

log = logging.getLogger(__name__)

_EVERY = 60.0


@dataclass(slots=True)
class Checkpoint:
    """Where a run is.

    Attributes:
        step: steps done.
        best_score: the best held-out score so far, -1 before the first.
        stale: epochs since it.
        saved: when a checkpoint was written last, in seconds of the monotonic clock.
    """

    step: int
    best_score: float
    stale: int
    saved: float = field(default_factory=time.monotonic)

    def due(self) -> bool:
        """Whether a minute has passed since the last checkpoint."""
        return time.monotonic() - self.saved >= _EVERY


def save_checkpoint(
    work: Path,
    fingerprint: str,
    state: Checkpoint,
    trained: dict[str, nn.Parameter],
    averaged: dict[str, Tensor],
    best: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
) -> None:
    """Writes a checkpoint, replacing the one before only once it is whole.

    Args:
        work: the folder for it.
        fingerprint: what the run is made of.
        state: where the run is.
        trained: weights under training.
        averaged: their moving average.
        best: the best averaged weights so far.
        optimizer: the optimizer.

    Raises:
        ReleaseError: the disk refuses.
    """
    partial = work / "checkpoint.partial"
    position = {key: value for key, value in asdict(state).items() if key != "saved"}
    content = {
        "head": json.dumps({"fingerprint": fingerprint, **position}),
        "trained": {name: parameter.detach() for name, parameter in trained.items()},
        "averaged": averaged,
        "best": best,
        "optimizer": optimizer.state_dict(),
    }
    try:
        work.mkdir(parents=True, exist_ok=True)
        torch.save(content, partial)
        partial.replace(work / "checkpoint.pt")
    # torch has no error of its own for a full disk.
    except (OSError, RuntimeError) as error:
        raise ReleaseError(
            f"{work}: a checkpoint cannot be written ({error}). Free disk space or check rights, then run again."
        ) from error
    state.saved = time.monotonic()


def load_checkpoint(
    work: Path,
    fingerprint: str,
    trained: dict[str, nn.Parameter],
    averaged: dict[str, Tensor],
    best: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
) -> Checkpoint | None:
    """Fills weights and optimizer from a checkpoint of the same run.

    Args:
        work: the folder it may be in.
        fingerprint: what the run is made of; a checkpoint of another run is left alone.
        trained: filled.
        averaged: filled.
        best: filled.
        optimizer: filled.

    Returns:
        Where the run was, or None where there is nothing to go on from.
    """
    path = work / "checkpoint.pt"
    try:
        content = torch.load(path, weights_only=True)
        head = json.loads(content["head"])
    except FileNotFoundError:
        return None
    except (OSError, RuntimeError, EOFError, LookupError, ValueError, TypeError, pickle.UnpicklingError) as error:
        log.warning("%s: is damaged, so training starts anew: %s", path, str(error).partition("\n")[0])
        return None
    if head.pop("fingerprint") != fingerprint:
        return None
    with torch.no_grad():
        for name, parameter in trained.items():
            parameter.copy_(content["trained"][name])
            averaged[name].copy_(content["averaged"][name])
            best[name].copy_(content["best"][name])
    optimizer.load_state_dict(content["optimizer"])
    return Checkpoint(**head)
