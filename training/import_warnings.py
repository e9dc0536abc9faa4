"""Warnings of a FAQ import: entries that ask nearly the same, with both places."""

from __future__ import annotations

from retrieval.types import Embed, FaqEntry
from training.import_known import KnownFaq, Source, place_of
from training.import_likeness import MOST_PAIRS, alike_pairs
from training.import_report import Report

MOST_EMBEDDED = 3_000
"""Above so many entries their vectors are left out, as making them would take minutes."""


def warn_of_alike(known: KnownFaq, since: int, report: Report, embed: Embed | None = None) -> None:
    """Points out new entries that ask nearly the same as others.

    Args:
        known: all entries, those of the bot first.
        since: the number of the first new one.
        report: is told of every pair at the place of the new entry.
        embed: gives sentence vectors, where a release is at hand.
    """
    placed = known.entries
    entries = [entry for entry, _ in placed]
    if len(entries) == since:
        return
    vectors = embed([entry.question for entry in entries]) if embed and len(entries) <= MOST_EMBEDDED else None
    pairs = alike_pairs(entries, vectors, since=since)
    for pair in pairs:
        _, source = placed[pair.second]
        report.warn(source.path, source.line, "question", _message(*placed[pair.first], pair.difference))
    if len(pairs) == MOST_PAIRS:
        report.remarks.append(f"Only the first {MOST_PAIRS:,} pairs of entries that ask nearly the same are shown")


def _message(entry: FaqEntry, source: Source, difference: str) -> str:
    asks = f'asks nearly the same as {place_of(entry, source)} "{entry.question[:60]}"'
    if difference:
        return f"contradiction: {asks}, but the answers differ ({difference}); correct one or merge them"
    return f"near-duplicate: {asks}, and the answers agree; keep one, with the other's question as a variant"
