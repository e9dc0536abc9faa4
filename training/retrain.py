"""Corrections and confirmed answers become a candidate release, which the gate promotes or refuses."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from nlu.durable import write_atomically
from nlu.examples import Example
from nlu.releases import Manifest, ReleaseStore, read_manifest, seal
from nlu.types import InputError, ReleaseError, Score
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
from training.outcomes import OpenedRelease, Trial, measure
from training.plausibility import KnownTexts, Suspicion, refusal, suspicions
from training.promote import Judgement, Outcomes, judge
from training.train import TrainingSet, train_release

_ALL_LAYERS = 48
_LEARNT = 0.9


class Status(StrEnum):
    """How a retraining ended."""

    PROMOTED = "promoted"
    REFUSED = "refused"
    NOTHING_NEW = "nothing_new"
    PREVIEW = "preview"


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


@dataclass(frozen=True, slots=True)
class RetrainReport:
    """What a retraining did, and why.

    Attributes:
        status: how it ended.
        gathered: what the log taught.
        material: fingerprint of everything that was started from.
        current: the release in force when it began.
        candidate: the release that was trained, None where none was.
        reasons: why it was promoted or refused, a sentence each.
        suspicious: corrections that are hard to believe.
        before: what the release in force got right, None where nothing was measured.
        after: what the candidate got right.
    """

    status: Status
    gathered: Gathered
    material: str
    current: str | None = None
    candidate: str | None = None
    reasons: tuple[str, ...] = ()
    suspicious: tuple[Suspicion, ...] = ()
    before: Outcomes | None = None
    after: Outcomes | None = None

    def to_json(self) -> dict[str, Any]:
        """The whole report as plain JSON values, customers' masked words included."""
        gathered = self.gathered
        return self.summary() | {
            "reasons": list(self.reasons),
            "examples": [
                {"text": e.text, **e.labels, "lang": e.lang, "weight": e.weight, "source": e.source}
                for e in gathered.examples
            ],
            "faq_variants": [
                {"faq": c.label, "text": c.text, "lang": c.lang, "source": c.source.value} for c in gathered.variants
            ],
            "contradictions": [clash.to_json() for clash in gathered.contradictions],
            "suspicious": [suspicion.to_json() for suspicion in self.suspicious],
        }

    def summary(self) -> dict[str, Any]:
        """The report without customers' words, which must not outlive the log: turns are named by their ids."""
        return {
            "status": self.status.value,
            "current": self.current,
            "candidate": self.candidate,
            "material": self.material,
            "taken": self.gathered.taken,
            "dropped": dict(self.gathered.dropped),
            "corrected_turns": [claim.turn for claim in self.gathered.corrections],
            "contradicting_turns": [clash.claim.turn for clash in self.gathered.contradictions],
            "suspicious_turns": [suspicion.claim.turn for suspicion in self.suspicious],
            "scores": {
                name: outcomes.to_json()
                for name, outcomes in (("current", self.before), ("candidate", self.after))
                if outcomes
            },
        }


def preview(inputs: RetrainInputs) -> RetrainReport:
    """Shows what would be used; nothing is trained or written."""
    gathered = inputs.gathered()
    return RetrainReport(Status.PREVIEW, gathered, _material(inputs, gathered))


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
        ReleaseError: there is no current release, or the disk refuses.
    """
    if not inputs.test:
        raise InputError(
            "There is no frozen test set, so that nothing tells whether a new release is better. Give the bot's folder "
            "a file test.jsonl with labelled texts that are in no example file."
        )
    current, _ = store.open_current()
    gathered = inputs.gathered()
    told = RetrainReport(Status.NOTHING_NEW, gathered, _material(inputs, gathered), current)
    if not gathered.claims:
        return replace(told, reasons=("No turn was corrected or confirmed in a way that teaches something new.",))
    if earlier := last_report(data_dir, current, told.material, Status.PROMOTED):
        return replace(told, reasons=(f"{current} was made from just this ({earlier.name}).",))

    release = OpenedRelease.load(store.path(current))
    doubted = _suspicions(release, inputs, gathered)
    told = replace(told, suspicious=tuple(doubted))
    if why := refusal(doubted, len(gathered.corrections)):
        return _filed(replace(told, status=Status.REFUSED, reasons=(why,)), data_dir)

    trial = Trial(unseen_test(inputs.test, gathered), _known_queries(inputs, release, gathered), gathered.corrections)
    before = measure(release, trial)
    del release
    with contextlib.ExitStack() as drafts:
        candidate = _best_candidate(inputs, gathered, store, data_dir, trial, before, drafts, report)
        seal(candidate.folder, store.root / candidate.name)
    status = Status.PROMOTED if candidate.judgement.promote else Status.REFUSED
    told = replace(
        told,
        status=status,
        candidate=candidate.name,
        reasons=candidate.judgement.reasons,
        before=before,
        after=candidate.outcomes,
    )
    _filed(told, data_dir)
    if status is Status.PROMOTED:
        store.promote(candidate.name)
    return told


def warm_starts(config: TrainingConfig) -> tuple[TrainingConfig, ...]:
    """The settings to go on from a release with, the gentlest first.

    First only the heads learn: the vectors, and with them retrieval, stay as they are, and few other texts change
    sides. Where that cannot learn the corrections, the whole encoder moves a little.

    Args:
        config: the settings of a training from the start.

    Returns:
        Two settings.
    """
    shared = {"epochs": 3, "patience": 3, "head_learning_rate": config.head_learning_rate / 2}
    heads_only = {"frozen_layers": _ALL_LAYERS, "anchor": 0.0, "faq_weight": 0.0}
    return (
        config.model_copy(update={**shared, **heads_only}),
        config.model_copy(update={**shared, "learning_rate": config.learning_rate / 3}),
    )


def last_report(data_dir: Path, current: str, material: str, status: Status) -> Path | None:
    """A report that says what became of this very material.

    Args:
        data_dir: the data folder.
        current: the release that was made from it (promoted), or in force when it was refused.
        material: the fingerprint of the material.
        status: what became of it.

    Returns:
        The report's file, or None where there is none.
    """
    role = "candidate" if status is Status.PROMOTED else "current"
    for path in sorted((data_dir / "retrain").glob("*.json"), reverse=True):
        try:
            document = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            continue
        expected = {"status": status.value, role: current, "material": material}
        if isinstance(document, dict) and all(document.get(key) == value for key, value in expected.items()):
            return path
    return None


@dataclass(frozen=True, slots=True)
class _Candidate:
    name: str
    folder: Path
    outcomes: Outcomes
    judgement: Judgement


def _best_candidate(
    inputs: RetrainInputs,
    gathered: Gathered,
    store: ReleaseStore,
    data_dir: Path,
    trial: Trial,
    before: Outcomes,
    drafts: contextlib.ExitStack,
    report: Callable[[Progress], None],
) -> _Candidate:
    """Trains until a candidate passes the gate and follows the corrections; else the last that passes, or the last."""
    chosen: _Candidate | None = None
    faq = faq_with_variants(inputs.faq, gathered)
    for config, parent in _attempts(inputs, store):
        folder = drafts.enter_context(store.draft("retrain")) / "release"
        examples = training_examples(inputs.base, gathered, config)
        material = TrainingSet(examples, faq, trial.test, trial.queries)
        manifest = train_release(material, config, folder, data_dir, parent=parent, report=report)
        outcomes = measure(OpenedRelease.load(folder), trial)
        judgement = judge(before, outcomes, trial.truth, inputs.protected)
        if chosen is None or judgement.promote or not chosen.judgement.promote:
            chosen = _Candidate(manifest.name, folder, outcomes, judgement)
        if judgement.promote and sum(outcomes.corrected) >= _LEARNT * len(outcomes.corrected):
            break
    if chosen is None:
        raise ReleaseError(f"{store.root}: no candidate could be trained.")
    return chosen


def _attempts(inputs: RetrainInputs, store: ReleaseStore) -> Iterator[tuple[TrainingConfig, Path | None]]:
    """Settings with the release to go on from: the current one where it fits, else a training from the start."""
    folder = store.path(store.open_current().name)
    manifest = read_manifest(folder)
    config = _config_like(inputs.config, manifest)
    if _fits(manifest, config, inputs.base):
        yield from ((warm, folder) for warm in warm_starts(config))
    else:
        yield config, None


def _config_like(config: TrainingConfig, manifest: Manifest) -> TrainingConfig:
    """Takes the encoder of the release in force unless the settings name one."""
    if "encoder" in config.model_fields_set:
        return config
    return config.model_copy(update={"encoder": manifest.config.get("encoder", config.encoder)})


def _fits(manifest: Manifest, config: TrainingConfig, base: Sequence[Example]) -> bool:
    labels: dict[str, set[str]] = {}
    for example in base:
        for head, label in example.labels.items():
            labels.setdefault(head, set()).add(label)
    same_encoder = manifest.config.get("encoder") == config.encoder and manifest.max_tokens == config.max_tokens
    same_labels = {head: set(known) for head, known in manifest.heads.items()} == labels
    return same_encoder and same_labels and set(manifest.languages) == set(config.languages)


def _material(inputs: RetrainInputs, gathered: Gathered) -> str:
    return material_fingerprint(inputs.base, inputs.faq, inputs.test, gathered)


def _known_queries(inputs: RetrainInputs, release: OpenedRelease, gathered: Gathered) -> list[FaqQuery]:
    """The frozen queries that both releases can answer: their entries are in both knowledge bases."""
    shared = {entry.id for entry in inputs.faq} & {entry.id for entry in release.index.entries}
    return [query for query in unseen_queries(inputs.queries, gathered) if shared.issuperset(query.relevant)]


def _suspicions(release: OpenedRelease, inputs: RetrainInputs, gathered: Gathered) -> list[Suspicion]:
    claims = gathered.corrections
    if not claims:
        return []
    readings = release.read([claim.text for claim in claims])
    read: list[Score | None] = [
        reading.heads[claim.head].top[0] if claim.head in reading.heads else None
        for claim, reading in zip(claims, readings, strict=True)
    ]
    groups = {entry.id: faq_group(entry) for entry in inputs.faq}
    known = {head: _known_texts(head, release, inputs) for head in {claim.head for claim in claims}}
    return suspicions(
        claims,
        [groups[claim.label] if claim.head == FAQ else claim.label for claim in claims],
        release.vectors([claim.text for claim in claims]),
        read,
        known,
        gathered.contradictions,
    )


def _known_texts(head: str, release: OpenedRelease, inputs: RetrainInputs) -> KnownTexts:
    if head == FAQ:
        pairs = [(text, faq_group(entry)) for entry in inputs.faq for text in (entry.question, *entry.variants)]
    else:
        pairs = [(example.text, example.labels[head]) for example in inputs.base if head in example.labels]
    texts = [text for text, _ in pairs]
    return KnownTexts(texts, [label for _, label in pairs], release.vectors(texts))


def _filed(told: RetrainReport, data_dir: Path) -> RetrainReport:
    """Keeps a report on the disk, named by its candidate or by the material that was refused without one."""
    folder = data_dir / "retrain"
    content = json.dumps(told.summary() | {"reasons": _unquoted(told)}, ensure_ascii=False, indent=2) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / f"{told.candidate or told.material[:16]}.json", [content.encode()])
    except OSError as error:
        raise ReleaseError(
            f"{folder}: cannot be written ({error.strerror}); `current` is unchanged. Free disk space or check rights."
        ) from error
    return told


def _unquoted(told: RetrainReport) -> list[str]:
    """The reasons, but for the one that quotes customers."""
    return list(told.reasons) if told.candidate else ["Too many corrections contradict what is known."]
