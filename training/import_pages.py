"""FAQ records from HTML pages and Markdown documents.

A question is a heading that asks something, a `<summary>`, a `<dt>`, a row of a table, or a line that starts with `Q:`
or `问：`; its answer is what stands below, up to the next question or heading of the same level.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import islice
from pathlib import Path
from typing import Any

import yaml
from lxml import etree
from markdown_it import MarkdownIt

from retrieval.plain_text import plain_text
from retrieval.records import Record
from training.import_page_parts import BOLD_LEVEL, Answered, Heading, Part, Passage, Table, page_parts
from training.import_report import Report
from training.import_tables import read_rows

_ASKING_WORD = r"(?:how|what|when|where|why|who|whom|whose|which|can|could|do|does|did|is|are|will|would|should|must)\b"
_ASKING = re.compile(
    r"[?？][\s\"'”’»)）]*$"
    rf"|^{_ASKING_WORD}"
    r"|吗|怎么|怎样|怎麼|嗎|如何|什么|什麼|为何|為何|哪[里个些种儿]|多少|多久|多长|是否|能否|可否|能不能|可不可以|何时",
    re.IGNORECASE,
)
_COUNT = r"(?:\d{1,3}|[一二三四五六七八九十]{1,3})"
# "1.2 Why so?" has a number of two levels, "1.5 kg" and "1.5 公斤" are figures.
_NUMBER = re.compile(
    rf"^(?:\d{{1,3}}(?:\.\d{{1,3}}){{1,3}}[.、]?\s+(?={_ASKING_WORD}|[^a-z])"
    r"(?!(?:[GMK]?Hz|[GMTK]i?B|k?Wh?|m?Ah|[VAL])\b|[公千毫厘]?[斤克米升]|[吨寸元块折倍天岁年]|英寸|小时|分钟|度)"
    rf"|(?:[(（]?{_COUNT}\s*[.)）、．：]\s*)+)(?=\D)"
)
_ANCHOR = re.compile(r"\s*[¶#]+$")
_Q = r"(?:question|q|ｑ|问题|問題|问|問)"
_A = r"(?:answer|a|ａ|答案|回答|答)"
_TYPE = r"(?:</?(?:b|strong|em|i|u|span)\b[^<>]{0,200}>\s*)*"
_LETTER = rf"(?P<letter>{_Q}|{_A})\s*(?:{_TYPE}[:：]|(?P<count>{_COUNT})\s*{_TYPE}[:：.．、])"
_MARKED = re.compile(
    r"(?P<edge>^|\n|<(?:br|p|li|ul|ol|div|blockquote|dd|section)\b[^<>]{0,200}>)"
    rf"[ \t]*(?:</?(?:b|strong|em|i|u|span|p)\b[^<>]{{0,200}}>[ \t]*){{0,8}}+{_LETTER}",
    re.IGNORECASE,
)
_BOLD_LINE = re.compile(
    r"(?:\n|<(?:br|p|div)\b[^<>]{0,200}>)[ \t]*<(b|strong)>([^<>\n]{1,300})</\1>[ \t]*(?=\n|<br\b)",
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
    count: str = ""
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
        parts = [piece for part in page_parts(root, self._line_of) for piece in self._with_bold_questions(part)]
        marks = _question_and_answer_marks(parts)
        for place, part in enumerate(parts):
            if isinstance(part, Heading):
                yield from self._heading(part)
            elif isinstance(part, Passage):
                yield from self._passage(part, marks.get(place, []))
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
        if marked and not _asks(marked) and marked["count"] and marked["count"] != (self._open and self._open.count):
            marked = None
        text = heading.text[marked.end() :] if marked else heading.text
        if marked and not _asks(marked):
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
            self._open = _Open(heading.line, heading.level, text, (marked and marked["count"]) or "")

    def _with_bold_questions(self, part: Part) -> Iterator[Part]:
        """A part; of a passage the lines that are a question in bold type become headings."""
        if not isinstance(part, Passage):
            yield part
            return
        place, line = 0, part.line
        for match in _BOLD_LINE.finditer(part.markup):
            text = plain_text(f"<p>{match[2]}</p>")
            if not _ASKING.search(text) or re.match(_LETTER, text, re.IGNORECASE):
                continue
            yield Passage(line, part.markup[place : match.start()])
            line = self._line_after(line, part.markup[place : match.end()])
            place = match.end()
            yield Heading(line, BOLD_LEVEL, text)
        yield Passage(line, part.markup[place:])

    def _passage(self, passage: Passage, marks: Sequence[re.Match[str]]) -> Iterator[Record]:
        place, line, mark = 0, passage.line, None
        for match in marks:
            yield from self._piece(line, passage.markup[place : match.start()] + match["edge"], mark)
            line = self._line_after(line, passage.markup[place : match.end()])
            place, mark = match.end(), match
        yield from self._piece(line, passage.markup[place:], mark)

    def _line_after(self, line: int, markup: str) -> int:
        """The line at the end of a piece of HTML that starts at a line."""
        marked = list(_LINE_ATTRIBUTE.finditer(markup)) if self._from_markdown else []
        if not marked:
            return line + markup.count("\n")
        return int(marked[-1][1]) + markup.count("\n", marked[-1].end())

    def _piece(self, line: int, markup: str, mark: re.Match[str] | None) -> Iterator[Record]:
        if mark and _asks(mark):
            yield from self._closed()
            question, markup = _first_line(markup)
            self._open = _Open(line, _LEVEL_OF_MARKED, question, mark["count"] or "")
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


def _asks(mark: re.Match[str]) -> bool:
    return re.fullmatch(_Q, mark["letter"], re.IGNORECASE) is not None


def _question_and_answer_marks(parts: Sequence[Part]) -> dict[int, list[re.Match[str]]]:
    """The marks of questions and answers in each passage, by its place.

    `A4:` and `Q1:` may be paper and a quarter of a year: with a number, an answer's mark has that of the question
    before it, and a question asks or has its answer's mark next.
    """
    found: list[tuple[int, re.Match[str] | None]] = []
    for place, part in enumerate(parts):
        if isinstance(part, Passage):
            found += [(place, match) for match in _MARKED.finditer(part.markup)]
        elif isinstance(part, Heading):
            found.append((place, re.match(_LETTER, part.text, re.IGNORECASE)))
    marks: dict[int, list[re.Match[str]]] = {}
    count = ""
    for number, (place, match) in enumerate(found):
        following = found[number + 1][1] if number + 1 < len(found) else None
        if match is None or isinstance(parts[place], Heading):
            count = (match and match["count"]) or ""
            continue
        if _asks(match):
            answered = following and not _asks(following) and following["count"] in (None, match["count"])
            end = following.start() if following and following.string is match.string else None
            if match["count"] and not answered and not _ASKING.search(_first_line(match.string[match.end() : end])[0]):
                continue
            count = match["count"] or ""
        elif match["count"] and match["count"] != count:
            continue
        marks.setdefault(place, []).append(match)
    return marks


def _without_front_matter(text: str) -> str:
    """Blanks the YAML block that many documents start with; line numbers stay."""
    front = re.match(r"---[ \t]*\n((?=\S)(?:.*\n){0,200}?)---[ \t]*\n", text)
    return "\n" * front[0].count("\n") + text[front.end() :] if front and _is_front_matter(front[1]) else text


def _is_front_matter(block: str) -> bool:
    try:
        fields = yaml.safe_load(block)
    except (yaml.YAMLError, ValueError, RecursionError):
        return False
    return isinstance(fields, dict) and not any(re.fullmatch(f"{_Q}|{_A}", str(key), re.IGNORECASE) for key in fields)
