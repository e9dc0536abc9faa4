"""An HTML page taken apart: headings, ready questions with answers, tables, and the text between them, in order."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

from lxml import etree

from retrieval.plain_text import plain_text
from training.import_tables import Row, is_header

_UNREAD = frozenset(("script", "style", "template", "noscript", "nav", "footer", "form", "head", "iframe"))
_HEADINGS = frozenset(f"h{level}" for level in range(1, 7))
_STRUCTURES = _HEADINGS | _UNREAD | {"details", "dl", "table"}
_LINK = re.compile(r"</?a\b[^<>]*>")
_BOLD = frozenset(("b", "strong"))
_MOST_COLUMNS = 64
BOLD_LEVEL = 7
"""The level of a paragraph in bold type, below that of every heading."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading.

    Attributes:
        line: where it stands.
        level: 1 for the highest, 7 for a paragraph in bold type.
        text: its plain text.
    """

    line: int
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A question that the page itself ties to its answer.

    Attributes:
        line: where the question stands.
        questions: the question and other ways to ask it, as plain text.
        answer: the answer as HTML.
    """

    line: int
    questions: tuple[str, ...]
    answer: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table that names columns of questions and answers.

    Attributes:
        header: the row of names.
        rows: the rows below that are not blank.
        headings: the lines of rows that are one cell over all columns.
    """

    header: Row
    rows: tuple[Row, ...]
    headings: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Passage:
    """Anything else.

    Attributes:
        line: where it starts.
        markup: its HTML.
    """

    line: int
    markup: str


@dataclass(frozen=True, slots=True)
class _Cell:
    """A cell of a table, with how many columns and rows it spans."""

    text: str
    columns: int
    rows: int


Part = Heading | Answered | Table | Passage
_LineOf = Callable[[Any], int]


def page_parts(root: Any, line_of: _LineOf) -> Iterator[Part]:
    """Takes a page apart.

    Args:
        root: the lxml element of the whole page.
        line_of: tells an element's line.

    Yields:
        The parts in the order of the page; navigation, forms, scripts and footers are left out.
    """
    # What stands around a heading, a table or the like is no passage of its own.
    around: set[Any] = set()
    for element in root.iter(*_STRUCTURES, "p"):
        if element.tag != "p" or _is_bold(element):
            around.update(_new_ancestors(element, around))
    yield from _parts(root, around, line_of)


def _new_ancestors(element: Any, seen: set[Any]) -> Iterator[Any]:
    for ancestor in element.iterancestors():
        if ancestor in seen:
            return
        yield ancestor


def _parts(element: Any, around: set[Any], line_of: _LineOf) -> Iterator[Part]:
    line = line_of(element)
    if (element.text or "").strip():
        yield Passage(line, escape(element.text, quote=False))
    for child in element:
        yield from _part(child, around, line_of)
        if (child.tail or "").strip():
            yield Passage(line_of(child), escape(child.tail, quote=False))


def _part(element: Any, around: set[Any], line_of: _LineOf) -> Iterator[Part]:
    tag, line = element.tag, line_of(element)
    if not isinstance(tag, str) or tag in _UNREAD:
        return
    if tag in _HEADINGS:
        yield Heading(line, int(tag[1]), _text(element))
    elif _is_bold(element):
        yield Heading(line, BOLD_LEVEL, _text(element))
    elif tag == "details":
        yield from _details(element, around, line_of)
    elif tag == "dl":
        yield from _pairs(element, line_of)
    elif tag == "table":
        yield _table(element, line_of)
    elif element in around:
        yield from _parts(element, around, line_of)
    else:
        yield Passage(line, _markup(element))


def _details(element: Any, around: set[Any], line_of: _LineOf) -> Iterator[Part]:
    summary = element.find("summary")
    if summary is None:
        yield from _parts(element, around, line_of)
        return
    line, question = line_of(summary), _text(summary)
    if element.find(".//details") is not None or element.find(".//dl") is not None:
        yield Heading(line, BOLD_LEVEL, question)
        tail = summary.tail or ""
        element.remove(summary)
        element.text = f"{element.text or ''}{tail}"
        yield from _parts(element, around, line_of)
        return
    rest = [escape(summary.tail or "", quote=False)]
    rest += [_markup(child, tail=True) for child in summary.itersiblings() if isinstance(child.tag, str)]
    yield Answered(line, (question,), "".join(rest))


def _pairs(element: Any, line_of: _LineOf) -> Iterator[Answered]:
    questions: list[str] = []
    answers: list[str] = []
    line = line_of(element)
    for child in element.iter("dt", "dd"):
        if child.tag == "dt":
            if answers:
                yield Answered(line, tuple(questions), "".join(answers))
                questions, answers = [], []
            if not questions:
                line = line_of(child)
            questions.append(" ".join(plain_text(_own_markup(child)).split()))
        elif questions:
            answers.append(_own_markup(child))
    if questions:
        yield Answered(line, tuple(questions), "".join(answers))


def _own_markup(element: Any) -> str:
    """The HTML of a `<dt>` or `<dd>` up to the next one, which libxml2 puts inside where the first was not closed."""
    return re.split(r"(?<!^)<d[dt]\b", _markup(element), maxsplit=1)[0]


def _table(element: Any, line_of: _LineOf) -> Table | Passage:
    own = [row for row in element.iter("tr") if next(row.iterancestors("table")) is element]
    cells = [(line_of(row), [_cell(cell) for cell in row if cell.tag in ("td", "th")]) for row in own]
    if not cells or not is_header(cell.text for cell in cells[0][1]):
        return Passage(line_of(element), _markup(element))
    rows = list(_spread(cells))
    width = len(rows[0][1])
    headings = {line for line, row in cells if len(row) == 1 and row[0].columns >= width}
    below = [row for row in rows[1:] if any(row[1])]
    return Table(rows[0], tuple(row for row in below if row[0] not in headings), tuple(sorted(headings)))


def _cell(cell: Any) -> _Cell:
    return _Cell(_text(cell, lines=True), _span(cell, "colspan"), _span(cell, "rowspan"))


def _span(cell: Any, name: str) -> int:
    digits = re.fullmatch(r"\s*(\d{1,4})\s*", cell.get(name) or "")
    return min(max(int(digits[1]), 1), _MOST_COLUMNS) if digits else 1


def _spread(rows: Iterable[tuple[int, Sequence[_Cell]]]) -> Iterator[Row]:
    """Rows with a cell for each column: what spans rows stands in each of them, what spans columns in the first."""
    reaching: dict[int, _Cell] = {}
    for number, (line, cells) in enumerate(rows):
        own = deque(part for cell in cells for part in (cell, *[replace(cell, text="")] * (cell.columns - 1)))
        placed: list[_Cell] = []
        while len(placed) < _MOST_COLUMNS and (own or len(placed) in reaching):
            placed.append(reaching.get(len(placed)) or own.popleft())
        # What spans the header and rows below it is the name of a column, and no cell of these.
        below = enumerate(placed if number else ())
        reaching = {column: replace(cell, rows=cell.rows - 1) for column, cell in below if cell.rows > 1}
        yield line, tuple(cell.text for cell in placed)


def _is_bold(element: Any) -> bool:
    """Whether a paragraph holds nothing but one piece of bold type, in `<span>` or not."""
    if element.tag != "p":
        return False
    while len(element) == 1 and not (element.text or "").strip() and not (element[0].tail or "").strip():
        element = element[0]
        if element.tag in _BOLD:
            return True
        if element.tag != "span":
            return False
    return False


def _text(element: Any, *, lines: bool = False) -> str:
    if lines:
        return plain_text(_markup(element))
    # Where a heading leads to is not part of what it asks.
    return re.sub(r"\s+", " ", plain_text(_LINK.sub("", _markup(element))))


def _markup(element: Any, *, tail: bool = False) -> str:
    markup: str = etree.tostring(element, encoding="unicode", method="html", with_tail=tail)
    return markup
