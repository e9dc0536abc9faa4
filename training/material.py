"""What a retrained release is made of: base examples, claims from the log, and a frozen test set that stays unseen."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random

from nlu.examples import Example, fingerprint
from retrieval.types import FaqEntry, FaqQuery
from training.config import TrainingConfig
from training.datasets import split_held_out
from training.logged import FAQ, Gathered, Source, faq_group, text_key

_REPEATS = 10
_HELD_OUT_SHARE = 0.1


def training_examples(base: Sequence[Example], gathered: Gathered, config: TrainingConfig) -> list[Example]:
    """Adds what was gathered to the base examples.

    The base examples are held out as they would be without the log, so that calibration is not measured on texts that
    the parent release was trained on. Corrections come several times, and once among the held-out texts too (a tenth
    of these at most): the best epoch is the one that has learnt them and unlearnt nothing.

    Args:
        base: the base examples.
        gathered: what the log teaches; where it contradicts a base label, that label is left out.
        config: the settings that the parent was trained with.

    Returns:
        The examples; those to hold out have the split `valid`.
    """
    kept = [example for example in base if example.split != "test"]
    _, held = split_held_out(kept, config.holdout, config.holdout_limit, config.seed)
    for row in held:
        kept[row] = replace(kept[row], split="valid")
    kept = _without_contradicted(kept, gathered)
    learnt = gathered.examples
    corrected = [example for example in learnt if example.source == Source.CORRECTION.value]
    confirmed = [example for example in learnt if example.source == Source.CONFIRMED.value]
    witnesses = min(len(corrected), max(1, int(_HELD_OUT_SHARE * len(held))))
    watched = Random(config.seed).sample(corrected, witnesses)
    return [*kept, *corrected * _REPEATS, *confirmed, *(replace(example, split="valid") for example in watched)]


def faq_with_variants(entries: Sequence[FaqEntry], gathered: Gathered) -> list[FaqEntry]:
    """Adds what was gathered to the knowledge base.

    Args:
        entries: the knowledge base.
        gathered: what the log teaches; a variant that it says belongs elsewhere is moved there.

    Returns:
        The entries in their order, with more variants.
    """
    added: dict[str, list[str]] = defaultdict(list)
    groups = {entry.id: faq_group(entry) for entry in entries}
    moved: dict[str, str] = {}
    for claim in gathered.variants:
        added[claim.label].append(claim.text)
        moved[text_key(claim.text)] = groups[claim.label]
    return [
        replace(
            entry,
            variants=(
                *(text for text in entry.variants if moved.get(text_key(text), groups[entry.id]) == groups[entry.id]),
                *added[entry.id],
            ),
        )
        for entry in entries
    ]


def unseen_test(test: Sequence[Example], gathered: Gathered) -> list[Example]:
    """Leaves out the frozen texts whose labels the log taught; those that it contradicts stay, to speak against it."""
    taught = _taught(gathered)
    return [example for example in test if not any((text_key(example.text), head) in taught for head in example.labels)]


def unseen_queries(queries: Sequence[FaqQuery], gathered: Gathered) -> list[FaqQuery]:
    """Leaves out the frozen FAQ queries whose entries the log taught; those that it contradicts stay."""
    taught = _taught(gathered)
    return [query for query in queries if (text_key(query.query), FAQ) not in taught]


def material_fingerprint(
    base: Sequence[Example],
    faq: Sequence[FaqEntry],
    test: Sequence[Example],
    gathered: Gathered,
    queries: Sequence[FaqQuery],
    protected: Mapping[str, Sequence[str]],
    config: TrainingConfig,
) -> str:
    """Tells apart the materials that retraining starts from, in hexadecimal.

    Args:
        base: the base examples.
        faq: the knowledge base.
        test: the frozen test set.
        gathered: what the log teaches.
        queries: the frozen FAQ queries.
        protected: for each head the labels that no release may read worse.
        config: the settings of a training from the start.

    Returns:
        64 digits.
    """
    faq_lines = sorted(f"{entry.id}\t{entry.question}\t{entry.answer}\t{'|'.join(entry.variants)}" for entry in faq)
    claims = sorted(f"{claim.text}\t{claim.head}\t{claim.label}\t{claim.source}" for claim in gathered.claims)
    asked = sorted(f"{query.query}\t{query.lang}\t{'|'.join(sorted(query.relevant))}" for query in queries)
    guarded = sorted(f"{head}\t{label}" for head, labels in protected.items() for label in labels)
    # What the settings leave open is taken from the current release, so it counts whether they say it.
    settings = [config.model_dump_json(), config.model_dump_json(exclude_unset=True)]
    groups = ([fingerprint(base), fingerprint(test)], faq_lines, claims, asked, guarded, settings)
    parts = [part for group in groups for part in (*group, "")]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _taught(gathered: Gathered) -> set[tuple[str, str]]:
    against = {clash.claim for clash in gathered.contradictions if clash.against == "test"}
    return {(text_key(claim.text), claim.head) for claim in gathered.claims if claim not in against}


def _without_contradicted(base: Sequence[Example], gathered: Gathered) -> list[Example]:
    """Takes the labels out of base examples that corrections replace; an example with nothing left goes."""
    replaced = {
        (text_key(clash.claim.text), clash.claim.head) for clash in gathered.contradictions if clash.against == "base"
    }
    if not replaced:
        return list(base)
    kept = []
    for example in base:
        key = text_key(example.text)
        labels = {head: label for head, label in example.labels.items() if (key, head) not in replaced}
        if len(labels) == len(example.labels):
            kept.append(example)
        elif labels or example.entities is not None:
            kept.append(replace(example, labels=labels))
    return kept
