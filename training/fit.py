"""The training loop: one encoder, all heads, the vector kept near the pretrained encoder's.

`fit` runs epochs; the joint loss is `training.losses.Objective`. The anchor term keeps the sentence vector fit
for retrieval while the heads learn; the FAQ term pulls a question and its variants together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nlu.model import Reader
from training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from training.config import TrainingConfig
from training.datasets import NO_LABEL, Features, bucketed_batches, collate, label_array
from training.losses import Objective, balanced_weights, divergence, ranking_loss, shifted
from training.optimizing import frozen_layers, parameter_groups, set_rates, trained_parameters
from training.processes import Processes
from training.reading import LowerLayers, Readings, read_all, read_upper

_PAIRS_EVERY = 4
"""Steps from one batch of FAQ pairs to the next."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Attributes:
        step: steps done.
        steps: steps in all.
        epoch: the epoch under way, from 1.
        loss: running mean of the loss.
        score: the best held-out score so far, 0 to 1.
    """

    step: int
    steps: int
    epoch: int
    loss: float
    score: float


@dataclass(frozen=True, slots=True)
class FaqPair:
    """Two ways to ask what one FAQ entry answers.

    Attributes:
        left: the row of the one text.
        right: the row of the other.
        entry: what tells the entry from others, in all its languages.
    """

    left: int
    right: int
    entry: str


def fit(
    reader: Reader,
    features: Sequence[Features],
    held_out: Sequence[Features],
    faq_pairs: Sequence[FaqPair],
    config: TrainingConfig,
    pad_id: int,
    *,
    anchors: NDArray[np.float32],
    teaching: Mapping[str, Tensor] | None = None,
    processes: Processes | None = None,
    after_step: Callable[[int], None] = lambda _: None,
    work: Path | None = None,
    fingerprint: str = "",
    report: Callable[[Progress], None] = lambda _: None,
) -> float:
    """Trains a model in place and leaves the weights in it that read the held-out texts best.

    A later epoch counts as better as long as it is not worse by more than a standard error: its weights saw more texts,
    at a lower rate, and a few hundred held-out texts cannot tell finer differences.

    Args:
        reader: the model; its word embeddings stay as they are.
        features: training texts, and those of the FAQ pairs, which need no label.
        held_out: texts that choose the best epoch.
        faq_pairs: two ways to ask the same, as rows of `features`.
        config: the settings.
        pad_id: the padding token.
        anchors: unit vectors that those of `features` are held near, shape `(n, width)`.
        teaching: for each head log-probabilities that teachers give `features`, shape `(n, labels)`.
        processes: those that train together; this one alone by default.
        after_step: told the number of each step, from 0, once it is done and before gradients are cleared.
        work: a folder for checkpoints, or None for none; a run that was interrupted goes on from there.
        fingerprint: what a checkpoint must have been made with to be gone on from.
        report: told the progress after each step.

    Returns:
        The best held-out score: the mean accuracy of all heads.
    """
    processes = processes or Processes.join()
    device = processes.device
    reader.to(device)
    trained = trained_parameters(reader, config)
    processes.equalise(trained.values())
    optimizer = torch.optim.AdamW(parameter_groups(trained, config), fused=True)
    labelled = [row for row, item in enumerate(features) if _is_labelled(item)]
    lengths = [len(features[row].ids) for row in labelled]
    steps = count_steps(features, config)
    per_epoch = steps // config.epochs
    lower = LowerLayers(reader, features, frozen_layers(reader, config), pad_id)
    taught = {head: values.to(device) for head, values in (teaching or {}).items()}
    balance = {}
    for name in reader.heads:
        labels = label_array(features, name)
        balance[name] = balanced_weights(labels, config.class_balance, reader.head(name).out_features).to(device)
    objective = Objective(config, torch.from_numpy(anchors).to(device), taught, balance)
    pairs = _PairSampler(faq_pairs, config)
    averaged = {name: parameter.detach().clone() for name, parameter in trained.items()}
    best = {name: value.clone() for name, value in averaged.items()}
    state = Checkpoint(step=0, best_score=-1.0, stale=0)
    if work is not None:
        state = load_checkpoint(work, fingerprint, trained, averaged, best, optimizer) or state
    running = 0.0
    for epoch in range(state.step // per_epoch, config.epochs):
        batches = bucketed_batches(lengths, config.batch_size, Random(f"{config.seed}-{epoch}"))
        for place in range(state.step - epoch * per_epoch, per_epoch):
            torch.manual_seed(config.seed * 1_000_003 + state.step * processes.count + processes.place)
            reader.train()
            set_rates(optimizer, state.step, steps, config)
            rows = processes.share([labelled[i] for i in batches[place]])
            batch = collate(features, rows, list(reader.heads), pad_id).to(device)
            hidden = lower(reader, batch).requires_grad_(config.adversarial > 0)
            reading = read_upper(reader, hidden, batch, lower.depth)
            loss = objective(reading, batch)
            if config.rdrop:
                again = read_upper(reader, hidden, batch, lower.depth)
                loss = 0.5 * (loss + objective(again, batch)) + config.rdrop * divergence(reading, again)
            if config.faq_weight and faq_pairs and state.step % _PAIRS_EVERY == 0:
                paired = collate(features, pairs.draw(state.step, processes.place), (), pad_id).to(device)
                reading = read_upper(reader, lower(reader, paired), paired, lower.depth)
                loss = loss + config.faq_weight * ranking_loss(reading.vector) + objective.anchor(reading, paired)
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            if config.adversarial:
                moved = read_upper(reader, shifted(hidden, config.adversarial), batch, lower.depth)
                torch.autograd.backward(objective(moved, batch))
            processes.average_gradients(trained.values())
            nn.utils.clip_grad_norm_(trained.values(), 1.0)
            optimizer.step()
            after_step(state.step)
            state.step += 1
            _average(averaged, trained, _share_kept(state.step, steps, config))
            running = loss.item() if state.step == 1 else 0.95 * running + 0.05 * loss.item()
            report(Progress(state.step, steps, epoch + 1, running, max(state.best_score, 0.0)))
            # The last step of an epoch is not done before its score is known.
            if work is not None and processes.first and state.due() and place + 1 < per_epoch:
                save_checkpoint(work, fingerprint, state, trained, averaged, best, optimizer)
        score = _score_with(reader, trained, averaged, held_out, pad_id)
        if score >= state.best_score - _standard_error(state.best_score, len(held_out)):
            state.stale = 0
            best = {name: value.clone() for name, value in averaged.items()}
        else:
            state.stale += 1
        state.best_score = max(state.best_score, score)
        if state.stale >= config.patience:
            break
        if work is not None and processes.first and state.due():
            save_checkpoint(work, fingerprint, state, trained, averaged, best, optimizer)
    _load(trained, best)
    reader.to("cpu").eval()
    return state.best_score


def count_steps(features: Sequence[Features], config: TrainingConfig) -> int:
    """How many steps a run takes if it is not ended early."""
    return math.ceil(sum(map(_is_labelled, features)) / config.batch_size) * config.epochs


def _is_labelled(item: Features) -> bool:
    return bool(item.labels) or item.tags is not None


def _standard_error(score: float, texts: int) -> float:
    """Of a share of right answers; 0 before the first score."""
    return math.sqrt(max(score * (1.0 - score), 0.0) / max(texts, 1))


class _PairSampler:
    """Draws batches of FAQ pairs, each entry at most once a batch."""

    def __init__(self, pairs: Sequence[FaqPair], config: TrainingConfig) -> None:
        self.pairs, self.config = pairs, config

    def draw(self, step: int, process: int = 0) -> list[int]:
        """Rows of the left texts of some pairs, then of their right texts."""
        rng = Random(f"{self.config.seed}-pairs-{step}-{process}" if process else f"{self.config.seed}-pairs-{step}")
        drawn: dict[str, FaqPair] = {}
        for place in rng.sample(range(len(self.pairs)), min(len(self.pairs), 2 * self.config.batch_size)):
            drawn.setdefault(self.pairs[place].entry, self.pairs[place])
            if len(drawn) == self.config.batch_size // 2:
                break
        return [pair.left for pair in drawn.values()] + [pair.right for pair in drawn.values()]


def _share_kept(step: int, steps: int, config: TrainingConfig) -> float:
    """How much of the average stays when the weights of a step, counted from 1, are added to it.

    An exponential moving average (Polyak & Juditsky 1992) that follows closely at first, or at the end an even one
    (Izmailov et al. 2018, stochastic weight averaging).
    """
    averaged = step - round(steps * (1.0 - config.swa))
    if config.swa and averaged > 0:
        return 1.0 - 1.0 / averaged
    return min(config.ema, step / (step + 9))


@torch.no_grad()
def _average(averaged: dict[str, Tensor], trained: dict[str, nn.Parameter], keep: float) -> None:
    torch._foreach_lerp_(list(averaged.values()), list(trained.values()), 1.0 - keep)


def _load(trained: dict[str, nn.Parameter], values: dict[str, Tensor]) -> None:
    with torch.no_grad():
        for name, parameter in trained.items():
            parameter.copy_(values[name])


def _score_with(
    reader: Reader,
    trained: dict[str, nn.Parameter],
    averaged: dict[str, Tensor],
    held_out: Sequence[Features],
    pad_id: int,
) -> float:
    """The held-out score of the averaged weights; the trained ones are put back afterwards."""
    kept = {name: parameter.detach().clone() for name, parameter in trained.items()}
    _load(trained, averaged)
    readings = read_all(reader, held_out, pad_id)
    _load(trained, kept)
    return held_out_score(readings, held_out)


def held_out_score(readings: Readings, features: Sequence[Features]) -> float:
    """The mean over heads of accuracy, and of token accuracy on entity tokens; 0 where nothing is labelled.

    Args:
        readings: what a model read.
        features: the same texts with labels.

    Returns:
        A score, 0 to 1.
    """
    scores = []
    for head, logits in readings.logits.items():
        labels = label_array(features, head)
        known = labels != NO_LABEL
        if known.any():
            scores.append(float((logits[known].argmax(-1) == labels[known]).mean()))
    truth = [np.array(item.tags) for item in features if item.tags is not None]
    guess = [tags for tags, item in zip(readings.tags, features, strict=False) if item.tags is not None]
    if truth and guess:
        expected, got = np.concatenate(truth), np.concatenate(guess)
        inside = expected > 0
        if inside.any():
            scores.append(float((expected[inside] == got[inside]).mean()))
    return float(np.mean(scores)) if scores else 0.0
