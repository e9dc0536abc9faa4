"""A rough reading of Telegram's parse modes: what text is left, and which errors malformed mark-up gives."""

from __future__ import annotations

import html
import re

from tests.e2e.telegram_double.state import ApiError

HTML_TAGS = frozenset(
    [
        *("b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "a", "code", "pre", "span", "blockquote"),
        *("tg-spoiler", "tg-emoji"),
    ]
)
RESERVED = frozenset("_*[]()~`>#+-=|{}.!")
MARKS = {"__": "Underline", "||": "Spoiler", "*": "Bold", "_": "Italic", "~": "Strikethrough"}
LEGACY_MARKS = {"*": "bold", "_": "italic", "`": "code"}


def visible_text(text: str, parse_mode: str) -> str:
    """The text that a customer sees; raises Telegram's 400 where the mark-up is malformed."""
    match parse_mode.lower():
        case "":
            return text
        case "html":
            return _from_html(text)
        case "markdownv2":
            return _from_markdown_v2(text)
        case "markdown":
            return _from_markdown(text)
    raise ApiError(400, "Bad Request: unsupported parse_mode")


def _refused(reason: str) -> ApiError:
    return ApiError(400, f"Bad Request: can't parse entities: {reason}")


def _bytes(text: str) -> int:
    return len(text.encode())


def _from_html(text: str) -> str:
    out: list[str] = []
    stack: list[str] = []
    at = 0
    for tag in re.finditer(r"<(/?)([^<>\s/]*)([^<>]*)(>?)", text):
        out.append(html.unescape(text[at : tag.start()]))
        at = tag.end()
        closing, name, _, end = tag.groups()
        offset = _bytes(text[: tag.start()])
        if not end:
            raise _refused(f"Unclosed start tag at byte offset {offset}")
        if closing:
            if not stack:
                raise _refused(f"Unexpected end tag at byte offset {offset}")
            if stack[-1] != name.lower():
                raise _refused(
                    f'Unmatched end tag at byte offset {offset}, expected "</{stack[-1]}>", found "</{name}>"'
                )
            stack.pop()
            continue
        if name.lower() not in HTML_TAGS:
            raise _refused(f'Unsupported start tag "{name.lower()}" at byte offset {offset}')
        stack.append(name.lower())
    if stack:
        raise _refused(f'Can\'t find end tag corresponding to start tag "{stack[-1]}"')
    return "".join(out) + html.unescape(text[at:])


def _from_markdown_v2(text: str) -> str:
    out: list[str] = []
    open_marks: list[tuple[str, int]] = []
    at = 0
    while at < len(text):
        if text[at] == "\\" and at + 1 < len(text) and ord(text[at + 1]) < 128:
            out.append(text[at + 1])
            at += 2
        elif text[at] == "`":
            fence = "```" if text.startswith("```", at) else "`"
            end = text.find(fence, at + len(fence))
            if end < 0:
                raise _refused(
                    f"Can't find end of {'Pre' if fence == '```' else 'Code'} entity at byte offset {_bytes(text[:at])}"
                )
            out.append(text[at + len(fence) : end])
            at = end + len(fence)
        elif link := re.compile(r"\[((?:[^\]\\]|\\.)*)\]\(((?:[^)\\]|\\.)*)\)").match(text, at):
            out.append(_from_markdown_v2(link[1]))
            at = link.end()
        elif mark := next((m for m in MARKS if text.startswith(m, at)), ""):
            if open_marks and open_marks[-1][0] == mark:
                open_marks.pop()
            else:
                open_marks.append((mark, _bytes(text[:at])))
            at += len(mark)
        elif text[at] in RESERVED:
            raise _refused(f"Character '{text[at]}' is reserved and must be escaped with the preceding '\\'")
        else:
            out.append(text[at])
            at += 1
    if open_marks:
        mark, offset = open_marks[-1]
        raise _refused(f"Can't find end of {MARKS[mark]} entity at byte offset {offset}")
    return "".join(out)


def _from_markdown(text: str) -> str:
    out: list[str] = []
    at = 0
    while at < len(text):
        mark = text[at]
        if mark == "\\" and text[at + 1 : at + 2] in ("_", "*", "`", "["):
            out.append(text[at + 1])
            at += 2
        elif mark in LEGACY_MARKS:
            end = text.find(mark, at + 1)
            if end < 0:
                raise _refused(f"Can't find end of the entity starting at byte offset {_bytes(text[:at])}")
            out.append(text[at + 1 : end])
            at = end + 1
        elif link := re.compile(r"\[([^\]]*)\]\(([^)]*)\)").match(text, at):
            out.append(link[1])
            at = link.end()
        else:
            out.append(mark)
            at += 1
    return "".join(out)
