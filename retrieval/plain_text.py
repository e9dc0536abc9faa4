"""Answers that contain HTML, brought to clean plain text.

Customers read answers in chats that show no HTML. Texts come from strangers' exports, so the time is proportional to
the length. A conforming HTML parser is not: on deeply nested or wrongly nested tags it takes quadratic time and
memory. Thus a text is first flattened, tag by tag, to links and line breaks; nh3 sanitises what is left, which nests
nothing; then that is read as text.
"""

from __future__ import annotations

import html
import re
from html.entities import html5

import nh3

_HAN = "\u2e80-\u2fdf\u3000-\u303f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef"
_UNREAD = frozenset(("script", "style", "template", "noscript", "iframe", "object", "head", "title", "textarea"))
_CELLS = frozenset(("td", "th"))
_BLOCKS = frozenset(
    (
        *("address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog", "div"),
        *("dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6"),
        *("header", "hr", "html", "li", "main", "menu", "nav", "ol", "option", "p", "pre", "section", "select"),
        *("summary", "table", "tbody", "tfoot", "thead", "tr", "ul"),
    )
)
_LISTS = frozenset(("ol", "ul", "menu"))
_INLINE = frozenset(
    (
        *("a", "abbr", "acronym", "audio", "b", "bdi", "bdo", "big", "br", "button", "canvas", "cite", "code", "col"),
        *("colgroup", "data", "del", "dfn", "em", "embed", "font", "i", "img", "input", "ins", "kbd", "label", "link"),
        *("mark", "meta", "meter", "nobr", "o:p", "output", "param", "path", "picture", "progress", "q", "rp", "rt"),
        *("ruby", "s", "samp", "small", "source", "span", "strike", "strong", "sub", "sup", "svg", "time", "track"),
        *("tt", "u", "var", "video", "wbr"),
    )
)
_BREAKING = _BLOCKS | _CELLS | {"br"}
_KNOWN = _UNREAD | _CELLS | _BLOCKS | _INLINE
# "Dear <title> <name>" is a form to fill in, unless such a tag is closed or has attributes.
_WORDS_TOO = frozenset(
    (
        *("address", "caption", "code", "data", "form", "header", "label", "link", "menu", "object", "option"),
        *("output", "section", "source", "summary", "template", "time", "title", "track"),
    )
)
# "Use the <style> tag." names one, where it is not closed, has no attributes and stands apart from letters and tags.
_NAMED = frozenset(("script", "style", "noscript", "iframe", "head", "textarea"))
_APART_BEFORE = re.compile(r"(?<![\w>])<", re.ASCII)
_APART_AFTER = re.compile(r"(?![\w<])", re.ASCII)

# Quoted values may hold `>`; their bounds keep a text full of open quotes from being read to its end at every tag.
_QUOTED = r"""(?:[^<>"']++|"[^"]{0,2000}+"|'[^']{0,2000}+'){0,40}+"""
_MARKUP = re.compile(
    rf"<!--|<[!?](?:doctype|\[cdata\[|xml)[^<>]*>|<(/?)([a-z][a-z0-9:]{{0,12}})(?=[\s/>])(?:{_QUOTED}>|[^<>]*>)",
    re.IGNORECASE,
)
_CLOSING = re.compile(r"</([a-z][a-z0-9:]{0,12})", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|([a-zA-Z][a-zA-Z0-9]{1,31}));")
_BARE = re.compile(r"&(?!(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});)")
# A non-character stands for `<` that opens no tag, so that no tag comes of it when what stood between is gone.
_LONE = "\ufdd0"
# Another stands for `<` of a tag that the text names.
_NAMING = "\ufdd1"
# Nor may what the sanitiser drops stand between two tags.
_NOT_READ = re.compile(rf"[\0{_LONE}{_NAMING}]")
_COMPLETED = re.compile(rf"{_LONE}(?=(?:!--|/?([a-z][a-z0-9:]{{0,12}})(?=[\s/>])[^<>{_LONE}]*>))", re.IGNORECASE)
_SANITISED = re.compile(r'<(br|hr)>|<a(?: href="([^"]*)")?>|</a>')
_HAN_BREAK = re.compile(rf"(?<=[{_HAN}])[ \t]*+\n\s*+(?=[{_HAN}])")
_SPACES = re.compile(r"[ \t\r\n\f\v]+")
_START = re.compile(r"""\sstart\s*=\s*["']?(\d{1,6})""", re.IGNORECASE)
_SHOWN_SCHEMES = ("http://", "https://", "mailto:")


def has_markup(text: str) -> bool:
    """Whether a text contains HTML: a comment, an entity, or a tag that HTML knows; `a < b` and `<name>` are none."""
    closed = _closed(text)
    return any(_counts(match, closed) for match in _MARKUP.finditer(text)) or any(
        match[1] is None or f"{match[1]};" in html5 for match in _ENTITY.finditer(text)
    )


def plain_text(text: str) -> str:
    r"""Turns a text that contains HTML into clean plain text.

    Scripts, styles, comments and attributes go; block elements and `<br>` become line breaks, list items start with
    `- ` or their number, cells of a table stand side by side, links keep their web or mail address in brackets,
    entities are decoded. Where only inline tags occur, the line breaks of the text are kept, as it was hardly written
    as HTML.

    Args:
        text: any text.

    Returns:
        The plain text; exactly what was given where it contains no markup.

    >>> plain_text('<p>Ask <a href="https://shop.example/help">us</a>.</p><ul><li>by mail</li></ul>')
    'Ask us (https://shop.example/help).\n- by mail'
    """
    if not has_markup(text):
        return text
    safe = nh3.clean(
        _flatten(_NOT_READ.sub("", text.replace("\r\n", "\n"))),
        tags={"a", "br", "hr"},
        attributes={"a": {"href"}},
        url_schemes={"http", "https", "mailto"},
        link_rel=None,
    )
    read = _COMPLETED.sub(lambda match: "< " if (match[1] or "p").lower() in _KNOWN - _WORDS_TOO else "<", _read(safe))
    lines = (
        _SPACES.sub(" ", line).strip().removesuffix(" |")
        for line in read.replace(_LONE, "<").replace(_NAMING, "<").split("\n")
    )
    return re.sub(r"\n{3,}", "\n\n", "\n".join("" if line in ("-", "|") else line for line in lines)).strip()


def _closed(text: str) -> frozenset[str]:
    return frozenset(match[1].lower() for match in _CLOSING.finditer(text))


def _counts(match: re.Match[str], closed: frozenset[str]) -> bool:
    if match[2] is None:
        return True
    name = match[2].lower()
    # `a<b and c>d` compares; a tag of one letter has attributes with values or none.
    rest = match[0].lstrip("</")[len(name) : -1].strip(" \t\r\n/")
    if name in _WORDS_TOO and name not in closed and "=" not in rest:
        return False
    if _is_named(match, closed):
        return False
    return name in _KNOWN and (len(name) > 1 or not rest or "=" in rest)


def _is_named(match: re.Match[str], closed: frozenset[str]) -> bool:
    name = (match[2] or "").lower()
    return (
        name in _NAMED - closed
        and match[0].lower() == f"<{name}>"
        and bool(_APART_BEFORE.match(match.string, match.start()))
        and bool(_APART_AFTER.match(match.string, match.end()))
    )


def _flatten(text: str) -> str:
    """Leaves of all tags only `<a>`, `<br>` and, for the edge of a block, `<hr>`; what is no tag is escaped."""
    parts: list[str] = []
    place, verbatim, closed = 0, False, _closed(text)
    lists = _Lists()
    keeps_lines = not any(
        (match[2] or "").lower() in _BREAKING and _counts(match, closed) for match in _MARKUP.finditer(text)
    )
    while match := _MARKUP.search(text, place):
        parts.append(_words(text[place : match.start()], keeps_lines=keeps_lines or verbatim))
        place = match.end()
        if not _counts(match, closed):
            # Only its first sign, as a tag may stand inside what looked like one.
            parts.append(_NAMING if _is_named(match, closed) else _LONE)
            place = match.start() + 1
            continue
        closing, name = match[1], (match[2] or "").lower()
        if match[0] == "<!--":
            end = text.find("-->", place)
            place = len(text) if end < 0 else end + len("-->")
        elif name in _UNREAD and not closing and not match[0].endswith("/>"):
            place = _end_of(name, text, place)
        elif name == "a":
            parts.append("</a>" if closing else match[0])
        else:
            parts.append(_edge(name, closing) + lists.mark(name, match[0]))
        if name == "pre":
            verbatim = not closing
    parts.append(_words(text[place:], keeps_lines=keeps_lines or verbatim))
    return "".join(parts)


def _edge(name: str, closing: str) -> str:
    if name == "br":
        return "<br>"
    if name in _CELLS:
        return " | " if closing else ""
    if name not in _BLOCKS:
        return ""
    return "<hr>"


class _Lists:
    """Counts the items of the lists that a text is within."""

    def __init__(self) -> None:
        self._next: list[int | None] = []

    def mark(self, name: str, tag: str) -> str:
        """What stands before the text of a list item; nothing for other tags."""
        opens = not tag.startswith("</")
        if name in _LISTS and opens:
            start = _START.search(tag) if name == "ol" else None
            self._next.append((int(start[1]) if start else 1) if name == "ol" else None)
        elif name in _LISTS and self._next:
            self._next.pop()
        elif name == "li" and opens:
            if not self._next or (number := self._next[-1]) is None:
                return "- "
            self._next[-1] = number + 1
            return f"{number}. "
        return ""


def _words(text: str, *, keeps_lines: bool) -> str:
    escaped = _BARE.sub("&amp;", text).replace("<", _LONE)
    if keeps_lines:
        return escaped.replace("\n", "<br>")
    return _SPACES.sub(" ", _HAN_BREAK.sub("", escaped))


def _end_of(name: str, text: str, place: int) -> int:
    """Where an element ends whose content nobody reads; without an end it reaches to the end of the text."""
    closing = re.compile(rf"</{name}(?=[\s/>])[^<>]*>?", re.IGNORECASE).search(text, place)
    return closing.end() if closing else len(text)


def _read(safe: str) -> str:
    """The text of sanitised HTML that has no tags but links and breaks."""
    parts: list[str] = []
    place, address, words_from = 0, "", 0
    fresh = True
    for match in _SANITISED.finditer(safe):
        words = html.unescape(safe[place : match.start()]).replace("\xa0", " ")
        place = match.end()
        parts.append(words)
        fresh = fresh and not words.strip()
        if match[0] == "<br>" or (match[1] == "hr" and not fresh):
            parts.append("\n")
        elif match[0].startswith("<a"):
            address, words_from = html.unescape(match[2] or ""), len(parts)
        elif match[0] == "</a>":
            parts.append(_bracketed(address, "".join(parts[words_from:])))
            address = ""
        if match[1]:
            fresh = True
    parts.append(html.unescape(safe[place:]).replace("\xa0", " "))
    return "".join(parts)


def _bracketed(address: str, words: str) -> str:
    """What follows the words of a link: its address, unless they are the address or nothing to go to."""
    if not address.lower().startswith(_SHOWN_SCHEMES):
        return ""
    shown = address[len("mailto:") :] if address.lower().startswith("mailto:") else address
    if shown.rstrip("/").removeprefix("https://").removeprefix("http://") in words:
        return ""
    return f" ({shown})" if words.strip() else shown
