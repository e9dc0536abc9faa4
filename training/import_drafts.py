"""One record of an imported FAQ file to a draft of an entry: types, limits and HTML looked after."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from retrieval.plain_text import plain_text
from retrieval.records import kind_of
from retrieval.types import FaqEntry
from training.import_known import Source
from training.import_report import Report

MAX_ANSWER = 20_000
"""Characters of an answer; five of Telegram's longest messages."""

MAX_QUESTION = 1_000
"""Characters of a question or another wording; an encoder reads fewer."""

_MAX_WRITTEN = 1_000_000
_MAX_NUMBER = 10**18

_FORMULA_ERRORS = frozenset(("#REF!", "#NAME?", "#VALUE!", "#DIV/0!", "#N/A", "#NULL!", "#NUM!"))

_Complain = Callable[[str, str], None]


def draft_entry(
    fields: Mapping[str, object], source: Source, report: Report, as_plain: Callable[[str], str] = plain_text
) -> FaqEntry | None:
    """Makes an entry of a record that has standard names.

    Args:
        fields: the record; `question` and `answer` are required.
        source: where it stands.
        report: is told of every change, and of everything that is wrong.
        as_plain: makes plain text of question, answer and variants; by default of HTML.

    Returns:
        The entry, its id and language empty where the record has none; None where anything is wrong.
    """
    count = 0

    def complain(name: str, message: str) -> None:
        nonlocal count
        count += 1
        report.refuse(source.path, source.line, name, message)

    def change(name: str, message: str) -> None:
        report.change(source.path, source.line, name, message)

    def shown(name: str, text: str, longest: int) -> str:
        return _shown(name, text, as_plain, longest, complain, change)

    def wordings(name: str) -> tuple[str, ...]:
        texts = enumerate(_texts(name, fields.get(name), complain))
        return tuple(" ".join(shown(f"{name}[{number}]", text, MAX_QUESTION).split("\n")) for number, text in texts)

    number = fields.get("id")
    is_number = isinstance(number, int | float) and not isinstance(number, bool) and abs(number) < _MAX_NUMBER
    name = str(number) if is_number else number
    question = shown("question", _text("question", fields.get("question"), complain), MAX_QUESTION)
    draft = FaqEntry(
        id="" if name is None else _text("id", name, complain),
        question=" ".join(question.split()) if "\n" in question else question,
        answer=shown("answer", _text("answer", fields.get("answer"), complain), MAX_ANSWER),
        lang="" if fields.get("lang") is None else _text("lang", fields["lang"], complain),
        variants=wordings("variants"),
        tags=_texts("tags", fields.get("tags"), complain),
    )
    return None if count else draft


def _shown(
    name: str, text: str, as_plain: Callable[[str], str], longest: int, complain: _Complain, change: _Complain
) -> str:
    """A text as customers will see it."""
    if len(text) > _MAX_WRITTEN:
        complain(name, f"expected at most {longest:,} characters, got {len(text):,}; shorten it or split it")
        return text
    plain = as_plain(text)
    if text and not plain:
        complain(name, "expected text, nothing is left without its HTML; write it as text")
    elif len(plain) > longest:
        complain(name, f"expected at most {longest:,} characters, got {len(plain):,}; shorten it or split it")
    elif plain and name != "answer" and not any(character.isalnum() for character in plain):
        complain(name, f"expected words, got {plain[:20]!r}; write what customers ask")
    elif plain != text:
        change(name, "HTML taken away, its text kept")
    return plain


def _text(name: str, value: object, complain: _Complain) -> str:
    if not isinstance(value, str):
        remedy = "add it" if value is None else "put it in quotes"
        complain(name, f"expected text, got {kind_of(value)}; {remedy}")
        return ""
    text = value.strip()
    if not text:
        complain(name, "expected text, it is empty; fill it in")
    elif text in _FORMULA_ERRORS:
        complain(name, f"expected text, the cell shows {text}; mend its formula")
    elif any("\ud800" <= character <= "\udfff" for character in text):
        complain(name, "expected valid Unicode, got half of a surrogate pair; correct the character")
        return ""
    return text


def _texts(name: str, value: object, complain: _Complain) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        complain(name, f"expected a list of texts, got {kind_of(value)}; write a list")
        return ()
    return tuple(_text(f"{name}[{number}]", item, complain) for number, item in enumerate(value))
