"""Corrections and confirmed answers become a candidate release, which the gate promotes or refuses."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nlu.examples import Example
from nlu.releases import ReleaseStore, read_manifest, seal
from nlu.types import InputError, ReleaseError, Understanding
from retrieval.types import FaqEntry, FaqQuery
from training.config import TrainingConfig
from training.fit import Progress
from training.logged import FAQ, Gathered, Known, LoggedTurn, faq_group, gather
from training.material import (
    faq_with_variants,
    material_fingerprint,
    training_examples,
    unseen_queries,
    unseen_test,
)
from training.outcomes import OpenedRelease, Trial, follows, measure
from training.plausibility import KnownTexts, Suspicion, refusal, suspicions
from training.prepare import TrainingSet
from training.promote import Judgement, Outcomes, judge
from training.pseudo_labels import pseudo_labelled
from training.retrain_report import RetrainReport, Status, last_report, write_report
from training.train import train_release
from training.warm_start import config_like, fits, same_base, warm_starts

_LEARNT = 0.9


@dataclass(frozen=True, slots=True)
class RetrainInputs:
    """What retraining works with.

    Attributes:
        turns: the log, the oldest turn first.
        base: the base examples.
        faq: the knowledge base.
        test: the frozen test set.
        queries: the frozen FAQ queries.
        protected: for each head the labels that no release may read worse.
        config: the settings of a training from the start.
    """

    turns: Sequence[LoggedTurn]
    base: Sequence[Example]
    faq: Sequence[FaqEntry]
    test: Sequence[Example]
    queries: Sequence[FaqQuery]
    protected: Mapping[str, Sequence[str]]
    config: TrainingConfig

    def gathered(self) -> Gathered:
        """What the log teaches."""
        return gather(self.turns, Known(self.base, self.faq, self.test, self.queries))

    def fingerprint(self, gathered: Gathered) -> str:
        """Tells this material apart from any other, in hexadecimal."""
        return material_fingerprint(self.base, self.faq, self.test, gathered, self.queries, self.protected, self.config)

    def unguarded(self, gathered: Gathered) -> tuple[str, ...]:
        """What is protected in vain, a sentence each."""
        truth = Trial(unseen_test(self.test, gathered)).truth
        return tuple(
            f"The protected {head} {label} has no text in the frozen test set, so that nothing protects it."
            for head, labels in self.protected.items()
            for label in labels
            if label not in truth.get(head, ())
        )


def preview(inputs: RetrainInputs) -> RetrainReport:
    """Shows what would be used; nothing is trained or written."""
    gathered = inputs.gathered()
    return RetrainReport(Status.PREVIEW, gathered, inputs.fingerprint(gathered), unguarded=inputs.unguarded(gathered))


def retrain(
    inputs: RetrainInputs,
    store: ReleaseStore,
    data_dir: Path,
    report: Callable[[Progress], None] = lambda _: None,
) -> RetrainReport:
    """Trains a candidate from the log, compares it with the current release and promotes it if it is better.

    `current` changes in the last step only, in one go; where anything fails before, it is as it was.

    Args:
        inputs: what to work with.
        store: the releases; the candidate stays there even when refused.
        data_dir: the data folder; unpacked encoders are kept there, and the report under `retrain/`.
        report: told the progress of training.

    Returns:
        What was done.

    Raises:
        InputError: there is no frozen test set to compare on.
        ReleaseError: there is no current release, another one was promoted meanwhile, or the disk refuses.
    """
    if not inputs.test:
        raise InputError(
            "There is no frozen test set, so that nothing tells whether a new release is better. Give the bot's folder "
            "a file test.jsonl with labelled texts that are in no example file."
        )
    named, current = store.current(), store.open_current().name
    gathered = inputs.gathered()
    told = RetrainReport(
        Status.NOTHING_NEW, gathered, inputs.fingerprint(gathered), current, unguarded=inputs.unguarded(gathered)
    )
    if not gathered.claims:
        return replace(told, reasons=("No turn was corrected or confirmed in a way that teaches something new.",))
    if last_report(data_dir, current, told.material, Status.PROMOTED):
        return replace(told, reasons=(f"The current release {current} was made from just this.",))

    release = OpenedRelease.load(store.path(current))
    readings = release.read([claim.text for claim in gathered.corrections])
    doubted = _suspicions(release, inputs, gathered, readings)
    news = sum(not follows(release, claim, read) for claim, read in zip(gathered.corrections, readings, strict=True))
    told = replace(told, suspicious=tuple(doubted))
    if why := refusal(doubted, news):
        told = replace(told, status=Status.REFUSED, reasons=(why,))
        write_report(told, data_dir)
        return told

    trial = Trial(unseen_test(inputs.test, gathered), _shared_queries(inputs, release, gathered), gathered.corrections)
    before = measure(release, trial)
    with contextlib.ExitStack() as drafts:
        run = _Run(inputs, gathered, store, data_dir, trial, before, _pseudo_labelled(release, inputs, gathered))
        candidate = _best_candidate(run, current, drafts, report)
        seal(candidate.folder, store.root / candidate.name)
    shutil.rmtree(_work(data_dir), ignore_errors=True)
    told = replace(
        told,
        status=Status.PROMOTED if candidate.judgement.promote else Status.REFUSED,
        candidate=candidate.name,
        reasons=candidate.judgement.reasons,
        before=before,
        after=candidate.outcomes,
    )
    if store.current() != named:
        raise ReleaseError(
            f"{store.root}: another release was promoted meanwhile, and {candidate.name} was not compared with it. "
            "Run the retraining again."
        )
    write_report(told, data_dir)
    if candidate.judgement.promote:
        store.promote(candidate.name, instead_of=named)
    return told


def refused_before(inputs: RetrainInputs, store: ReleaseStore, data_dir: Path) -> bool:
    """Whether the gate has refused this very material already, compared with the release that is in force now."""
    material = inputs.fingerprint(inputs.gathered())
    return last_report(data_dir, store.current() or "", material, Status.REFUSED) is not None


@dataclass(frozen=True, slots=True)
class _Run:
    inputs: RetrainInputs
    gathered: Gathered
    store: ReleaseStore
    data_dir: Path
    trial: Trial
    before: Outcomes
    unsure: Sequence[Example]


@dataclass(frozen=True, slots=True)
class _Candidate:
    name: str
    folder: Path
    outcomes: Outcomes
    judgement: Judgement

    @property
    def rank(self) -> tuple[int, float]:
        """Orders candidates that pass: by the corrections they follow, then by their scores."""
        return sum(self.outcomes.corrected), self.outcomes.mean_score


def _best_candidate(
    run: _Run, current: str, drafts: contextlib.ExitStack, report: Callable[[Progress], None]
) -> _Candidate:
    """Trains until a candidate passes the gate and follows the corrections; else the best that passes, or the last."""
    chosen: _Candidate | None = None
    faq = faq_with_variants(run.inputs.faq, run.gathered)
    relearn: set[str] | None = None
    if same_base(read_manifest(run.store.path(current)), run.inputs.base):
        relearn = {head for example in run.gathered.examples for head in example.labels}
    for number, (config, parent) in enumerate(_attempts(run.inputs, run.store.path(current))):
        folder = drafts.enter_context(run.store.draft("retrain")) / "release"
        examples = training_examples(run.inputs.base, run.gathered, config)
        material = TrainingSet(examples, faq, run.trial.test, run.trial.queries, run.unsure, run.inputs.base)
        manifest = train_release(
            material,
            config,
            folder,
            run.data_dir,
            parent=parent,
            relearn=relearn,
            work=_work(run.data_dir) / str(number),
            report=report,
        )
        outcomes = measure(OpenedRelease.load(folder), run.trial)
        judgement = judge(run.before, outcomes, run.trial.truth, run.inputs.protected)
        candidate = _Candidate(manifest.name, folder, outcomes, judgement)
        if chosen is None or not chosen.judgement.promote or (judgement.promote and candidate.rank > chosen.rank):
            chosen = candidate
        if judgement.promote and sum(outcomes.corrected) >= _LEARNT * len(outcomes.corrected):
            break
    if chosen is None:
        raise ReleaseError(f"{run.store.root}: no candidate could be trained.")
    return chosen


def _work(data_dir: Path) -> Path:
    """Where each training keeps its checkpoints, so that one that was killed goes on though its draft is another."""
    return data_dir / "retrain" / "work"


def _attempts(inputs: RetrainInputs, folder: Path) -> list[tuple[TrainingConfig, Path | None]]:
    """Settings with the release to go on from: the current one where it fits, else one training from the start."""
    manifest = read_manifest(folder)
    config = config_like(inputs.config, manifest)
    if fits(manifest, config, inputs.base):
        return [(warm, folder) for warm in warm_starts(config)]
    return [(config, None)]


def _shared_queries(inputs: RetrainInputs, release: OpenedRelease, gathered: Gathered) -> list[FaqQuery]:
    """The frozen queries that both releases can answer: their entries are in both knowledge bases."""
    shared = {entry.id for entry in inputs.faq} & {entry.id for entry in release.index.entries}
    return [query for query in unseen_queries(inputs.queries, gathered) if shared.issuperset(query.relevant)]


def _pseudo_labelled(release: OpenedRelease, inputs: RetrainInputs, gathered: Gathered) -> list[Example]:
    """What the current release is sure of among the turns that nobody spoke about, where the settings want it."""
    least = inputs.config.pseudo_labels
    known = [*inputs.base, *inputs.test, *gathered.examples]
    return pseudo_labelled(release.read, inputs.turns, known, least) if least else []


def _suspicions(
    release: OpenedRelease, inputs: RetrainInputs, gathered: Gathered, readings: Sequence[Understanding]
) -> list[Suspicion]:
    claims = gathered.corrections
    if not claims:
        return []
    groups = {entry.id: faq_group(entry) for entry in inputs.faq}
    return suspicions(
        claims,
        [groups[claim.label] if claim.head == FAQ else claim.label for claim in claims],
        np.stack([reading.vector for reading in readings]),
        [
            reading.heads[claim.head].top[0] if claim.head in reading.heads else None
            for claim, reading in zip(claims, readings, strict=True)
        ],
        {head: _known_texts(head, release, inputs) for head in {claim.head for claim in claims}},
        gathered.contradictions,
    )


def _known_texts(head: str, release: OpenedRelease, inputs: RetrainInputs) -> KnownTexts:
    if head == FAQ:
        pairs = [(text, faq_group(entry)) for entry in inputs.faq for text in (entry.question, *entry.variants)]
    else:
        pairs = [(example.text, example.labels[head]) for example in inputs.base if head in example.labels]
    texts = [text for text, _ in pairs]
    return KnownTexts(texts, [label for _, label in pairs], release.vectors(texts))
