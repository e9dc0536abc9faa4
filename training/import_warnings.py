"""Warnings of a FAQ import: entries that ask nearly the same, and entries that answer now and would be overwritten."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from retrieval.types import Embed, FaqEntry
from retrieval.wordings import plain_wording, shared_wordings
from training.import_known import KnownFaq, Source, place_of
from training.import_likeness import MOST_PAIRS, alike_pairs
from training.import_report import Report

MOST_EMBEDDED = 3_000
"""Above so many entries their vectors are left out, as making them would take minutes."""

_LIVE = Source(Path("the knowledge base that answers now"), None)


def warn_of_alike(
    known: KnownFaq, since: int, report: Report, embed: Embed | None = None, live: Sequence[FaqEntry] = ()
) -> None:
    """Points out new entries that ask nearly the same as others, or have a wording of theirs.

    Args:
        known: all entries, those of the bot's files first.
        since: the number of the first new one.
        report: is told of every pair at the place of the new entry.
        embed: gives sentence vectors, where a release is at hand.
        live: the entries that answer now; those with the ids of files or of new entries are left out.
    """
    ids = {entry.id for entry, _ in known.entries}
    others = [(entry, _LIVE) for entry in live if entry.id not in ids]
    placed = [*others, *known.entries]
    since += len(others)
    entries = [entry for entry, _ in placed]
    if len(entries) == since:
        return
    _warn_of_shared(placed, since, report)
    vectors = embed([entry.question for entry in entries]) if embed and len(entries) <= MOST_EMBEDDED else None
    pairs = alike_pairs(entries, vectors, since=since)
    for pair in pairs:
        _, source = placed[pair.second]
        entry, place = entries[pair.first], place_of(*placed[pair.first])
        report.warn(source.path, source.line, "question", likeness(entry, place, pair.difference))
    if len(pairs) == MOST_PAIRS:
        report.remarks.append(f"Only the first {MOST_PAIRS:,} pairs of entries that ask nearly the same are shown")


def warn_of_overwritten(known: KnownFaq, since: int, report: Report, live: Sequence[FaqEntry]) -> None:
    """Points out new entries with the id of one that answers something else now.

    Args:
        known: all entries, those of the bot's files first.
        since: the number of the first new one.
        report: is told of each at the place of the new entry.
        live: the entries that answer now.
    """
    answering = {entry.id: entry for entry in live}
    for entry, source in known.entries[since:]:
        old = answering.get(entry.id)
        if old is not None and (old.question, old.answer) != (entry.question, entry.answer):
            message = f'{old.id!r} answers "{old.question[:60]}" now; `frontdesk faq put` would overwrite it'
            report.warn(source.path, source.line, "id", message)


def _warn_of_shared(placed: Sequence[tuple[FaqEntry, Source]], since: int, report: Report) -> None:
    """Points out wordings that others have, too; where all ask them as their questions, they are alike anyhow."""
    places = {entry.id: (place_of(entry, source), source) for entry, source in placed}
    new = {entry.id for entry, _ in placed[since:]}
    for wording, having in shared_wordings(entry for entry, _ in placed).items():
        if all(plain_wording(entry.question) == plain_wording(wording) for entry in having):
            continue
        for entry in having:
            if entry.id in new:
                others = " and ".join(places[other.id][0] for other in having if other.id != entry.id)
                message = f'"{wording[:60]}" is asked in {others}, too, so that none is certain; keep it in one'
                _, source = places[entry.id]
                report.warn(source.path, source.line, "variants", message)


def likeness(entry: FaqEntry, place: str, difference: str) -> str:
    """Says that an entry asks nearly the same as another.

    Args:
        entry: the other one.
        place: where that stands.
        difference: in what the answers differ; empty where they agree.

    Returns:
        What it is, and what to do.
    """
    asks = f'asks nearly the same as {place} "{entry.question[:60]}"'
    if difference:
        return f"contradiction: {asks}, but the answers differ ({difference}); correct one or merge them"
    return f"near-duplicate: {asks}, and the answers agree; keep one, with the other's question as a variant"
