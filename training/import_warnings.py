"""Warnings of a FAQ import: entries that ask nearly the same, and entries that answer now and would be overwritten."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from retrieval.types import Embed, FaqEntry
from training.import_known import KnownFaq, Source, place_of
from training.import_likeness import MOST_PAIRS, alike_pairs
from training.import_report import Report

MOST_EMBEDDED = 3_000
"""Above so many entries their vectors are left out, as making them would take minutes."""

_LIVE = Source(Path("the knowledge base that answers now"), None)


def warn_of_alike(
    known: KnownFaq, since: int, report: Report, embed: Embed | None = None, live: Sequence[FaqEntry] = ()
) -> None:
    """Points out new entries that ask nearly the same as others.

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
