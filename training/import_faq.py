"""FAQ files from elsewhere into entries: names mapped, ids and languages completed, repetitions refused."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nlu.text import detect_language, normalise, primary_language
from retrieval.faq import read_faq
from retrieval.records import kind_of, read_records
from retrieval.types import FaqEntry
from training.import_names import with_standard_names
from training.import_report import FaqProblems, Report

NAMES = {
    "id": ("faq_id", "编号", "序号"),
    "question": ("q", "title", "问题", "问", "标题", "标准问", "标准问题"),
    "answer": ("a", "content", "reply", "response", "答案", "答", "内容", "回答", "回复"),
    "variants": ("similar_questions", "alternatives", "相似问", "相似问法", "相似问题", "扩展问"),
    "lang": ("language", "locale", "语言"),
    "tags": ("tag", "标签"),
}
"""The fields of a FAQ entry, with what they are called elsewhere."""

_SLUG_LENGTH = 40
_MAX_NUMBER = 10**18

_Complain = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Source:
    """Where an entry stands.

    Attributes:
        path: the file.
        line: the line, counted from 1.
    """

    path: Path
    line: int


class KnownFaq:
    """Ids and wordings that are taken; each belongs to one entry."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}
        self._wordings: dict[tuple[str, str], str] = {}

    @classmethod
    def of(cls, paths: Iterable[Path]) -> KnownFaq:
        """Everything that is taken in FAQ files."""
        known = cls()
        for path in paths:
            for entry in read_faq(path):
                known.add(entry, f"{path} ({entry.id})")
        return known

    def add(self, entry: FaqEntry, place: str) -> None:
        """Takes an entry's id and wordings.

        Args:
            entry: the entry.
            place: where it is, for messages.
        """
        self._ids.setdefault(entry.id, place)
        for wording in (entry.question, *entry.variants):
            self._wordings.setdefault(_key(wording, entry.lang), place)

    def place_of_id(self, name: str) -> str | None:
        """Where an id is used, if it is."""
        return self._ids.get(name)

    def place_of_wording(self, wording: str, lang: str) -> str | None:
        """Where somebody asks the same in the same language, case and width of characters aside."""
        return self._wordings.get(_key(wording, lang))


def convert_faq(paths: Sequence[Path], known: KnownFaq, languages: Sequence[str], report: Report) -> list[FaqEntry]:
    """Reads FAQ files of the contract's format, or with the usual other names for its fields.

    Args:
        paths: JSON lines, CSV or YAML files.
        known: ids and wordings that are taken already; grows by what is taken here.
        languages: languages on offer where an entry names none.
        report: is told of every change and refusal.

    Returns:
        The sound entries in order.
    """
    lists = frozenset({name for field in ("variants", "tags") for name in (field, *NAMES[field])})
    problems = FaqProblems(report)
    entries = []
    for path in paths:
        for record in read_records(path, (), lists, problems):
            fields = with_standard_names(path, record.line, record.fields, NAMES, report)
            draft = _draft(fields, Source(path, record.line), report)
            entry = draft and admit(draft, Source(path, record.line), known, languages, report)
            if entry:
                entries.append(entry)
    return entries


def admit(
    draft: FaqEntry, source: Source, known: KnownFaq, languages: Sequence[str], report: Report
) -> FaqEntry | None:
    """Completes a sound entry and takes it, unless its id or question is taken.

    Args:
        draft: the entry; an empty id or language is filled in.
        source: where it stands.
        known: ids and wordings that are taken already; grows by the entry.
        languages: languages on offer where the entry names none.
        report: is told of every change and refusal.

    Returns:
        The entry, or None where it was refused.
    """
    path, line = source.path, source.line
    if draft.id and (place := known.place_of_id(draft.id)):
        report.refuse(path, line, "id", f"{draft.id!r} is already used in {place}; ids must be unique")
        return None
    lang = draft.lang or detect_language(draft.question, languages) or detect_language(draft.answer, languages)
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
    if not draft.id:
        report.change(path, line, "id", f"was missing, made {entry.id} from the question")
    entry = replace(entry, variants=_new_variants(entry, source, known, report))
    known.add(entry, f"{path}:{line}")
    return entry


def faq_id(question: str, lang: str) -> str:
    """Makes an id from a question: its words where they are plain Latin ones, else a hash.

    Args:
        question: the question.
        lang: its language.

    Returns:
        An id such as `can-i-return-it.en` or `faq-1f0c9ab2e7.zh`; the same for the same question.
    """
    plain = normalise(question).casefold().replace("'", "")
    words = re.findall(r"[a-z0-9]+", plain)
    if not words or any(character.isalpha() and not character.isascii() for character in plain):
        return f"faq-{_digest(plain)}.{lang}"
    slug = "-".join(words)
    if len(slug) > _SLUG_LENGTH:
        slug = slug[: _SLUG_LENGTH + 1].rpartition("-")[0] or slug[:_SLUG_LENGTH]
    return f"{slug}.{lang}"


def free_id(question: str, lang: str, known: KnownFaq) -> str:
    """Makes an id from a question that no other entry has; see `faq_id`."""
    name = faq_id(question, lang)
    stem, attempt = name.removesuffix(f".{lang}"), 0
    while known.place_of_id(name):
        attempt += 1
        name = f"{stem}-{_digest(f'{question} {attempt}')[:6]}.{lang}"
    return name


def _draft(fields: dict[str, object], source: Source, report: Report) -> FaqEntry | None:
    count = 0

    def complain(name: str, message: str) -> None:
        nonlocal count
        count += 1
        report.refuse(source.path, source.line, name, message)

    number = fields.get("id")
    if isinstance(number, int | float) and not isinstance(number, bool) and abs(number) < _MAX_NUMBER:
        fields = fields | {"id": str(number)}
    draft = FaqEntry(
        id="" if fields.get("id") is None else _text("id", fields["id"], complain),
        question=_text("question", fields.get("question"), complain),
        answer=_text("answer", fields.get("answer"), complain),
        lang="" if fields.get("lang") is None else _text("lang", fields["lang"], complain),
        variants=_texts("variants", fields.get("variants"), complain),
        tags=_texts("tags", fields.get("tags"), complain),
    )
    return None if count else draft


def _text(name: str, value: object, complain: _Complain) -> str:
    if not isinstance(value, str):
        remedy = "add it" if value is None else "put it in quotes"
        complain(name, f"expected text, got {kind_of(value)}; {remedy}")
        return ""
    text = value.strip()
    if not text:
        complain(name, "expected text, it is empty")
    elif any("\ud800" <= character <= "\udfff" for character in text):
        complain(name, "expected valid Unicode, got half of a surrogate pair")
    return text


def _texts(name: str, value: object, complain: _Complain) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        complain(name, f"expected a list of texts, got {kind_of(value)}")
        return ()
    return tuple(_text(f"{name}[{number}]", item, complain) for number, item in enumerate(value))


def _new_variants(entry: FaqEntry, source: Source, known: KnownFaq, report: Report) -> tuple[str, ...]:
    own = {_key(entry.question, entry.lang)}
    kept = []
    for number, variant in enumerate(entry.variants):
        key = _key(variant, entry.lang)
        place = "this entry" if key in own else known.place_of_wording(variant, entry.lang)
        if place:
            message = f"left out; {_short(variant)} is already asked in {place}"
            report.change(source.path, source.line, f"variants[{number}]", message)
        else:
            own.add(key)
            kept.append(variant)
    return tuple(kept)


def _key(wording: str, lang: str) -> tuple[str, str]:
    return primary_language(lang), normalise(wording).casefold()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _short(text: str) -> str:
    return f'"{text}"' if len(text) <= 60 else f'"{text[:57]}..."'
