"""FAQ records from HTML pages and Markdown documents.

A question is a heading that asks something, a `<summary>`, a `<dt>`, a row of a table, or a line that starts with `Q:`
or `问：`; its answer is what stands below, up to the next question or heading of the same level.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from itertools import islice
from pathlib import Path
from typing import Any

from lxml import etree
from markdown_it import MarkdownIt

from retrieval.plain_text import plain_text
from retrieval.records import Record
from training.import_page_parts import BOLD_LEVEL, Answered, Heading, Passage, Table, page_parts
from training.import_report import Report
from training.import_tables import read_rows

_ASKING = re.compile(
    r"[?？][\s\"'”’»)）]*$"
    r"|^(?:how|what|when|where|why|who|whom|whose|which|can|could|do|does|did|is|are|will|would|should|must)\b"
    r"|吗|怎么|怎样|怎麼|嗎|如何|什么|什麼|为何|為何|哪[里个些种儿]|多少|多久|多长|是否|能否|可否|能不能|可不可以|何时",
    re.IGNORECASE,
)
_COUNT = r"(?:\d{1,3}|[一二三四五六七八九十]{1,3})"
_NUMBER = re.compile(rf"^(?:\d{{1,3}}(?:\.\d{{1,3}}){{1,3}}[.、]?\s+|(?:[(（]?{_COUNT}\s*[.)）、．：]\s*)+)(?=\D)")
_ANCHOR = re.compile(r"\s*[¶#]+$")
_Q = r"(?:question|q|ｑ|问题|問題|问|問)"
_A = r"(?:answer|a|ａ|答案|回答|答)"
_TYPE = r"(?:</?(?:b|strong|em|i|u|span)\b[^<>]{0,200}>\s*)*"
_LETTER = rf"(?P<letter>{_Q}|{_A})\s*(?:{_TYPE}[:：]|{_COUNT}\s*{_TYPE}[:：.．、])"
_MARKED = re.compile(
    r"(?P<edge>^|\n|<(?:br|p|li|ul|ol|div|blockquote|dd|section)\b[^<>]{0,200}>)"
    rf"[ \t]*(?:</?(?:b|strong|em|i|u|span|p)\b[^<>]{{0,200}}>[ \t]*)*+{_LETTER}",
    re.IGNORECASE,
)
_TAG_WITH_LINE = re.compile(r"<(details|summary|d[ltd]|t[rdh]|table|h[1-6]|p|li|div)\b", re.IGNORECASE)
_LINE = "data-import-line"
_LINE_ATTRIBUTE = re.compile(rf'{_LINE}="(\d{{1,8}})"[^<>]*>')
_LINE_END = re.compile(r"\n|<br\b[^<>]*>|</(?:p|li|div|h\d)>")
_BLANK_LINES = 8
_TAG = re.compile(r"<[^<>]*>")
_LEVEL_OF_MARKED = 8
_TOO_DEEP = "nested deeper than 256 tags; simplify the page"


@dataclass(slots=True)
class _Open:
    """A question whose answer is being read."""

    line: int
    level: int
    question: str
    answer: list[str] = field(default_factory=list)


def read_html(path: Path, report: Report) -> Iterator[Record]:
    """Reads the questions with answers of an HTML page.

    Args:
        path: the file, UTF-8.
        report: is told what stands under no question, and what is wrong.

    Yields:
        Records with standard names.
    """
    text = path.read_text(encoding="utf-8-sig")
    yield from _Reading(path, report, from_markdown=False).records(text)


def read_markdown(path: Path, report: Report) -> Iterator[Record]:
    """Reads the questions with answers of a Markdown document, HTML in it included.

    Args:
        path: the file, UTF-8.
        report: is told what stands under no question, and what is wrong.

    Yields:
        Records with standard names.
    """
    text = _without_front_matter(path.read_text(encoding="utf-8-sig"))
    markdown = MarkdownIt("commonmark", {"html": True}).enable("table")
    tokens = markdown.parse(text)
    for token in tokens:
        if token.map is None:
            continue
        first = token.map[0] + 1
        if token.type == "html_block":
            token.content = "\n".join(
                _TAG_WITH_LINE.sub(rf'<\1 {_LINE}="{line}"', content)
                for line, content in enumerate(token.content.split("\n"), start=first)
            )
        elif token.nesting == 1:
            token.attrSet(_LINE, str(first))
    yield from _Reading(path, report, from_markdown=True).records(
        markdown.renderer.render(tokens, markdown.options, {})
    )


class _Reading:
    """Goes through the parts of one page."""

    def __init__(self, path: Path, report: Report, *, from_markdown: bool) -> None:
        self._path = path
        self._report = report
        self._from_markdown = from_markdown
        self._line = 1
        self._open: _Open | None = None
        self._stray: list[int] = []

    def records(self, markup: str) -> Iterator[Record]:
        """The questions with answers of a page."""
        root = self._parsed(markup)
        if root is None:
            return
        for part in page_parts(root, self._line_of):
            if isinstance(part, Heading):
                yield from self._heading(part)
            elif isinstance(part, Passage):
                yield from self._passage(part)
            else:
                yield from self._closed(nested=True)
                yield from self._ready(part)
        yield from self._closed()
        if self._stray:
            count = "one passage" if len(self._stray) == 1 else f"{len(self._stray)} passages, this is the first"
            message = f"stands under no question ({count}); let a heading ask, ending with a question mark"
            self._report.leave_out(self._path, self._stray[0], "", message)

    def _parsed(self, markup: str) -> Any:
        if not markup.strip():
            return None
        parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
        root = etree.fromstring(markup.encode("utf-8"), parser)
        deep = next((fault for fault in parser.error_log if "depth" in fault.message), None)
        if deep is not None:
            self._report.refuse(self._path, None if self._from_markdown else deep.line, "", _TOO_DEEP)
            return None
        return root

    def _line_of(self, element: Any) -> int:
        if not self._from_markdown:
            return int(element.sourceline or 1)
        # Elements without a line of their own stand where the one before them stood.
        own = re.fullmatch(r"\d{1,8}", element.get(_LINE) or "")
        self._line = int(own[0]) if own else self._line
        return self._line

    def _heading(self, heading: Heading) -> Iterator[Record]:
        marked = re.match(rf"{_LETTER}\s*(?=\S)", heading.text, re.IGNORECASE)
        text = heading.text[marked.end() :] if marked else heading.text
        if marked and re.fullmatch(_A, marked["letter"], re.IGNORECASE):
            if self._open:
                self._open.answer.append(f"<p>{escape(text, quote=False)}</p>")
            return
        text = _ANCHOR.sub("", _NUMBER.sub("", text))
        asks = bool(marked) or bool(_ASKING.search(text))
        if not asks and self._open and (heading.level > self._open.level or heading.level == BOLD_LEVEL):
            self._open.answer.append(f"<p>{escape(heading.text, quote=False)}</p>")
            return
        yield from self._closed(nested=bool(self._open and heading.level > self._open.level))
        if asks:
            self._open = _Open(heading.line, heading.level, text)

    def _passage(self, passage: Passage) -> Iterator[Record]:
        place, line, letter = 0, passage.line, ""
        for match in _MARKED.finditer(passage.markup):
            yield from self._piece(line, passage.markup[place : match.start()] + match["edge"], letter)
            line = self._line_after(line, passage.markup[place : match.end()])
            place, letter = match.end(), match["letter"]
        yield from self._piece(line, passage.markup[place:], letter)

    def _line_after(self, line: int, markup: str) -> int:
        """The line at the end of a piece of HTML that starts at a line."""
        marked = list(_LINE_ATTRIBUTE.finditer(markup)) if self._from_markdown else []
        if not marked:
            return line + markup.count("\n")
        return int(marked[-1][1]) + markup.count("\n", marked[-1].end())

    def _piece(self, line: int, markup: str, letter: str) -> Iterator[Record]:
        if letter and re.fullmatch(_Q, letter, re.IGNORECASE):
            yield from self._closed()
            question, markup = _first_line(markup)
            self._open = _Open(line, _LEVEL_OF_MARKED, question)
        if not _TAG.sub("", markup).strip():
            return
        if self._open:
            self._open.answer.append(markup)
        else:
            self._stray.append(line)

    def _closed(self, *, nested: bool = False) -> Iterator[Record]:
        """Ends the open question; one that only heads others has no answer and is none."""
        if self._open and (self._open.answer or not nested):
            answer = plain_text(f"<div>{''.join(self._open.answer)}</div>")
            fields = {"question": self._open.question, "answer": answer}
            yield Record(self._path, self._open.line, fields)
        self._open = None

    def _ready(self, part: Answered | Table) -> Iterator[Record]:
        if isinstance(part, Table):
            yield from self._rows(part)
            return
        question, *others = part.questions
        answer = plain_text(f"<div>{part.answer}</div>")
        fields: dict[str, object] = {"question": question, "answer": answer}
        yield Record(self._path, part.line, fields | ({"variants": others} if others else {}))

    def _rows(self, table: Table) -> Iterator[Record]:
        for line in table.headings:
            self._report.leave_out(self._path, line, "", "one cell over the whole table, no question with its answer")
        width = len(table.header[1])
        whole = [row for row in table.rows if len(row[1]) == width]
        for line, cells in (row for row in table.rows if len(row[1]) != width):
            message = f"expected {width} cells, as the header has, got {len(cells)}; complete the row"
            self._report.refuse(self._path, line, "", message)
        yield from read_rows(self._path, table.header, whole, self._report)


def _first_line(markup: str) -> tuple[str, str]:
    """The plain text of the first line, and the rest; a few blank lines before it are passed over."""
    for match in islice(_LINE_END.finditer(markup), _BLANK_LINES):
        if text := plain_text(f"<p>{markup[: match.start()]}</p>"):
            return text.replace("\n", " "), markup[match.end() :]
    return plain_text(f"<p>{markup}</p>").replace("\n", " "), ""


def _without_front_matter(text: str) -> str:
    """Blanks the YAML block that many documents start with; line numbers stay."""
    front = re.match(r"---[ \t]*\n(?:.*\n){0,200}?---[ \t]*\n", text)
    return "\n" * front[0].count("\n") + text[front.end() :] if front else text
