"""The order of a training: the heads to the encoder as it is, with few examples the vectors, then all together."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

import torch

from nlu.model import Reader
from nlu.pretrained import PretrainedEncoder
from nlu.releases import read_manifest
from nlu.torch_engine import load_reader
from nlu.types import ReleaseError
from training.adapters import adapters
from training.config import TrainingConfig
from training.datasets import LabelSets
from training.fit import Progress, count_steps, fit, held_out_score
from training.label_issues import doubt_labels
from training.optimizing import frozen_layers
from training.prepare import Prepared
from training.probe import fit_heads
from training.processes import Processes
from training.reading import read_all
from training.teachers import ask_teachers, keep_layers
from training.together import draw_together


def learn(
    prepared: Prepared,
    reader: Reader,
    config: TrainingConfig,
    *,
    parent: Path | None = None,
    relearn: Collection[str] | None = None,
    processes: Processes | None = None,
    work: Path | None = None,
    fingerprint: str = "",
    report: Callable[[Progress], None] = lambda _: None,
) -> float:
    """Trains a model in place: heads first, then the layers that learn.

    Args:
        prepared: what to learn from.
        reader: from `prepared.reader`.
        config: how.
        parent: a release to start from.
        relearn: which heads are fitted where no layer learns and a parent gives the others; None for all.
        processes: those that train together; this one alone by default.
        work: a folder for checkpoints, or None for none.
        fingerprint: what a checkpoint must have been made with.
        report: told the progress.

    Returns:
        The best held-out score.
    """
    learnt, pad_id = prepared.learnt, prepared.pad_id
    processes = processes or Processes.join()
    read_first = config.trained_layers or config.layers or config.doubted < 1.0
    anchors = fit_heads(reader, learnt, pad_id) if read_first else None
    if anchors is not None and config.doubted < 1.0:
        learnt = doubt_labels(learnt, prepared.taught, anchors, config.doubted)
        fit_heads(reader, learnt, pad_id)
    if config.layers:
        keep_layers(reader, config.layers)
        fit_heads(reader, learnt, pad_id)
    if parent is not None:
        _start_from(reader, parent, prepared.encoder, prepared.sets)
    if anchors is None or config.trained_layers == 0:
        fit_heads(reader, learnt, pad_id, adapt=parent is not None, only=relearn if parent is not None else None)
        return held_out_score(read_all(reader, prepared.held, pad_id), prepared.held)
    lessons = None
    if config.teachers:
        lessons = ask_teachers(config.teachers, [*prepared.taught, *prepared.faq_texts], prepared.sets)
        if lessons.vectors is not None and lessons.vectors.shape == anchors.shape:
            anchors = lessons.vectors
    if config.contrastive_first and parent is None and config.method == "full":
        draw_together(reader, prepared, config, anchors, processes.device)
        fit_heads(reader, learnt, pad_id)
    steps = count_steps(learnt, config)
    with adapters(reader, config.method, frozen_layers(reader, config), steps) as after_step:
        return fit(
            reader,
            learnt,
            prepared.held,
            prepared.faq_pairs,
            config,
            pad_id,
            anchors=anchors,
            teaching=lessons.logits if lessons else None,
            processes=processes,
            after_step=after_step,
            work=work,
            fingerprint=fingerprint,
            report=report,
        )


def _start_from(reader: Reader, parent: Path, encoder: PretrainedEncoder, sets: LabelSets) -> None:
    """Takes the parent's encoder weights, and its heads where the labels are the same or more."""
    manifest = read_manifest(parent)
    if manifest.encoder_fingerprint != encoder.fingerprint:
        raise ReleaseError(
            f"{parent}: was made from another encoder ({manifest.encoder}); train from the start instead."
        )
    old, _ = load_reader(parent, manifest)
    reader.encoder.load_state_dict(old.encoder.state_dict())
    with torch.no_grad():
        for head, labels in sets.heads.items():
            if head not in manifest.heads:
                continue
            place = {label: i for i, label in enumerate(manifest.heads[head])}
            new, known = reader.head(head), old.head(head)
            for i, label in enumerate(labels):
                if label in place:
                    new.weight[i] = known.weight[place[label]]
                    new.bias[i] = known.bias[place[label]]
        if (
            reader.tagger is not None
            and list(manifest.entity_types) == list(sets.entity_types)
            and old.tagger is not None
        ):
            reader.tagger.load_state_dict(old.tagger.state_dict())
