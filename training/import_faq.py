"""FAQ files from elsewhere into entries: names mapped, ids and languages completed, repetitions refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from nlu.text import detect_language
from nlu.types import InputError
from retrieval.languages import spoken_language
from retrieval.records import Record
from retrieval.types import FaqEntry
from training.import_drafts import draft_entry
from training.import_file_kinds import MAX_ENTRIES
from training.import_known import KnownFaq, Source, admissible_id, free_id, wording_key
from training.import_names import FAQ_NAMES, with_standard_names
from training.import_report import Report
from training.import_sources import plain_reading, read_source


def convert_faq(paths: Sequence[Path], known: KnownFaq, languages: Sequence[str], report: Report) -> list[FaqEntry]:
    """Reads FAQ files of the contract's formats, workbooks, Markdown and HTML.

    Args:
        paths: the files, told by their endings.
        known: ids and wordings that are taken already; grows by what is taken here.
        languages: the languages of the bot.
        report: is told of every change and refusal.

    Returns:
        The sound entries in order.
    """
    records = []
    for record in _all_records(paths, report):
        records.append(record)
        if len(records) > MAX_ENTRIES:
            raise InputError(
                f"{record.path}:{record.line}: expected at most {MAX_ENTRIES:,} entries in one import, there are more. "
                "Leave out what nobody asks, or import the files one by one, long ones in parts."
            )
    entries = []
    for record in records:
        source = Source(record.path, record.line)
        fields = with_standard_names(record.path, record.line, record.fields, FAQ_NAMES, report)
        draft = draft_entry(fields, source, report, plain_reading(record.path))
        entry = draft and admit(draft, source, known, languages, report)
        if entry:
            entries.append(entry)
    report.sort(paths)
    return entries


def admit(
    draft: FaqEntry, source: Source, known: KnownFaq, languages: Sequence[str], report: Report
) -> FaqEntry | None:
    """Completes a sound entry and takes it, unless its id or question is taken.

    Args:
        draft: the entry; an empty id or language is filled in.
        source: where it stands.
        known: ids and wordings that are taken already; grows by the entry.
        languages: the languages of the bot.
        report: is told of every change and refusal.

    Returns:
        The entry, or None where it was refused.
    """
    path, line = source.path, source.line
    if draft.id and (name := admissible_id(draft.id)) != draft.id:
        report.change(path, line, "id", f"{_short(draft.id)} became {name}; ids have no spaces, `/` or `:`")
        draft = replace(draft, id=name)
    if draft.id and (place := known.place_of_id(draft.id)):
        report.refuse(path, line, "id", f"{draft.id!r} is already used in {place}; ids must be unique")
        return None
    lang = spoken_language(draft.lang, languages) if draft.lang else _detected(draft, languages)
    if lang is None and draft.lang:
        report.refuse(path, line, "lang", f"expected one of {', '.join(languages)}, got {draft.lang!r}; correct it")
        return None
    if lang is None:
        report.refuse(
            path, line, "lang", f"is missing and the text is in none of {', '.join(languages)}; add the field"
        )
        return None
    if place := known.place_of_wording(draft.question, lang):
        report.refuse(path, line, "question", f"{_short(draft.question)} is already asked in {place}; keep one of them")
        return None
    entry = replace(draft, id=draft.id or free_id(draft.question, lang, known), lang=lang)
    if not draft.lang:
        report.change(path, line, "lang", f"was missing, detected {lang}")
    elif draft.lang != lang:
        report.change(path, line, "lang", f"{draft.lang} read as {lang}")
    if not draft.id:
        report.change(path, line, "id", f"was missing, made {entry.id} from the question")
    entry = replace(entry, variants=_new_variants(entry, source, known, report))
    known.add(entry, source)
    return entry


def _detected(draft: FaqEntry, languages: Sequence[str]) -> str | None:
    return detect_language(draft.question, languages) or detect_language(draft.answer, languages)


def _all_records(paths: Sequence[Path], report: Report) -> Iterator[Record]:
    for path in paths:
        yield from read_source(path, report)


def _new_variants(entry: FaqEntry, source: Source, known: KnownFaq, report: Report) -> tuple[str, ...]:
    own = {wording_key(entry.question, entry.lang)}
    kept = []
    for number, variant in enumerate(entry.variants):
        key = wording_key(variant, entry.lang)
        place = "this entry" if key in own else known.place_of_wording(variant, entry.lang)
        if place:
            message = f"left out; {_short(variant)} is already asked in {place}"
            report.change(source.path, source.line, f"variants[{number}]", message)
        else:
            own.add(key)
            kept.append(variant)
    return tuple(kept)


def _short(text: str) -> str:
    return f'"{text}"' if len(text) <= 60 else f'"{text[:57]}..."'
