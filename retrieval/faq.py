"""FAQ files and files of FAQ queries: read strictly, written atomically."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from retrieval.languages import language_of, language_tag, spoken_language
from retrieval.records import Problems, Record, kind_of, read_records
from retrieval.types import FaqEntry, FaqError, FaqQuery

_MAX_ID = 10**18


def read_faq(*paths: str | Path, languages: Sequence[str] | None = None) -> list[FaqEntry]:
    """Reads FAQ entries from JSON lines, CSV or YAML files, told by their endings.

    An entry has `id`, `question` and `answer`; `variants`, `lang` and `tags` may be absent. Numbers are taken as ids.
    Of a `lang` the primary language counts (`zh` for `zh_CN`); where there is none, it follows from the text.

    Args:
        *paths: the files; ids are unique across all of them.
        languages: the only languages that are taken; None for any.

    Returns:
        The entries in the order of the files. Where anything is wrong anywhere, nothing is returned: one `FaqError`
        names up to 20 problems with file, line and field.
    """
    problems = Problems()
    entries: list[FaqEntry] = []
    seen: dict[str, Record] = {}
    lists = frozenset({"variants", "tags"})
    for record in _all_records(paths, ("id", "question", "answer"), lists, problems):
        entry = _entry(_Fields(record, problems), languages)
        if not entry.id:
            continue
        first = seen.setdefault(entry.id, record)
        if first is not record:
            place = f"{first.path}:{first.line}"
            problems.add(record.path, record.line, "id", f"{entry.id!r} is already used at {place}; ids must be unique")
        entries.append(entry)
    problems.raise_if_any()
    return entries


def read_queries(path: str | Path, known: Collection[str] | None = None) -> list[FaqQuery]:
    """Reads labelled FAQ queries from a JSON lines, CSV or YAML file.

    A query has `query` and `relevant`, a list of FAQ ids; `lang` may be absent and then follows from the text.

    Args:
        path: the file.
        known: the ids of the FAQ; None to take any.

    Returns:
        The queries in the order of the file. Where anything is wrong anywhere, nothing is returned: one `FaqError`
        names up to 20 problems with file, line and field.
    """
    problems = Problems()
    queries = []
    for record in _all_records((path,), ("query", "relevant"), frozenset({"relevant"}), problems):
        fields = _Fields(record, problems)
        relevant = fields.texts("relevant", numbers=True)
        if not relevant and not fields.refused("relevant"):
            fields.refuse("relevant", "expected a list of at least one FAQ id, got none")
        for number, name in enumerate(relevant if known is not None else ()):
            if name not in (known or ()):
                message = f"{name!r} is not in the FAQ; correct the query or add the entry"
                fields.refuse("relevant", message, part=f"[{number}]")
        query = fields.text("query")
        queries.append(FaqQuery(query, tuple(dict.fromkeys(relevant)), fields.lang(query)))
    problems.raise_if_any()
    return queries


def write_faq(path: str | Path, entries: Iterable[FaqEntry]) -> None:
    """Writes entries as JSON lines; the file appears whole or not at all.

    Args:
        path: the file; an existing one is replaced.
        entries: what to write.

    Raises:
        FaqError: the file cannot be written, or a text is not valid Unicode.
    """
    try:
        content = "".join(json.dumps(asdict(entry), ensure_ascii=False) + "\n" for entry in entries).encode()
    except UnicodeEncodeError as error:
        raise FaqError(f"{path}: expected valid Unicode in every entry: {error}; correct the text") from error
    write_atomically(Path(path), content)


def write_atomically(path: Path, content: bytes) -> None:
    """Puts a file in place whole, or leaves what was there.

    Args:
        path: the file.
        content: its bytes.

    Raises:
        FaqError: the disk is full, the folder is missing, or writing is not allowed.
    """
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        reason = error.strerror or error
        raise FaqError(
            f"{path}: cannot be written ({reason}); check the folder, its permissions and the disk"
        ) from error


def _all_records(
    paths: Iterable[str | Path], required: tuple[str, ...], lists: frozenset[str], problems: Problems
) -> Iterator[Record]:
    for path in paths:
        yield from read_records(Path(path), required, lists, problems)


def _entry(fields: _Fields, languages: Sequence[str] | None) -> FaqEntry:
    question, answer = fields.text("question"), fields.text("answer")
    return FaqEntry(
        id=fields.text("id", numbers=True),
        question=question,
        answer=answer,
        lang=fields.lang(question, answer, languages=languages),
        variants=fields.texts("variants"),
        tags=fields.texts("tags"),
    )


class _Fields:
    """Takes typed values out of a record; what does not fit becomes a problem and an empty value."""

    def __init__(self, record: Record, problems: Problems) -> None:
        self._record = record
        self._problems = problems
        self._refused: set[str] = set()

    def refuse(self, name: str, message: str, *, part: str = "") -> None:
        """Notes that a field's value, or a part of it such as `[2]`, is wrong."""
        self._refused.add(name)
        self._problems.add(self._record.path, self._record.line, name + part, message)

    def refused(self, name: str) -> bool:
        """Whether the field's value was wrong."""
        return name in self._refused

    def lang(self, *texts: str, languages: Sequence[str] | None = None) -> str:
        """The language that is named, or else that of the texts."""
        named = self._record.fields.get("lang")
        code = language_of(*texts) if named is None else self.text("lang")
        tag = language_tag(code) if languages is None else spoken_language(code, languages)
        if tag is None and not self.refused("lang"):
            expected = "a language such as en or zh" if languages is None else f"one of {', '.join(languages)}"
            self.refuse("lang", f"expected {expected}, got {code!r}")
        return tag or ""

    def text(self, name: str, *, numbers: bool = False) -> str:
        """A text without its outer white space."""
        value = self._record.fields.get(name)
        if value is None:
            self.refuse(name, "expected text, the field is missing; add it")
            return ""
        return self._checked(name, value, numbers=numbers)

    def texts(self, name: str, *, numbers: bool = False) -> tuple[str, ...]:
        """A list of texts; an absent field is an empty list."""
        value = self._record.fields.get(name)
        if value is None:
            return ()
        if not isinstance(value, list):
            self.refuse(name, f"expected a list of texts, got {kind_of(value)}")
            return ()
        checked = [self._checked(name, item, numbers=numbers, part=f"[{i}]") for i, item in enumerate(value)]
        return tuple(text for text in checked if text)

    def _checked(self, name: str, value: object, *, numbers: bool, part: str = "") -> str:
        if numbers and isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _MAX_ID:
            return str(value)
        if not isinstance(value, str):
            expected = "text or a number" if numbers else "text"
            self.refuse(name, f"expected {expected}, got {kind_of(value)}; put it in quotes", part=part)
            return ""
        text = value.strip()
        if not text:
            self.refuse(name, "expected text, it is empty", part=part)
        elif any("\ud800" <= character <= "\udfff" for character in text):
            self.refuse(name, "expected valid Unicode, got half of a surrogate pair", part=part)
            return ""
        return text
