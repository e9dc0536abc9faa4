"""What a file really is, told by its first bytes, and whether its text is UTF-8; found out before anything is read."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

MEGABYTE = 1_000_000

MAX_ENTRIES = 200_000
"""The most entries of one import; they are held in memory."""

_LARGEST = {
    **dict.fromkeys((".jsonl", ".ndjson", ".csv"), 400 * MEGABYTE),
    **dict.fromkeys((".yaml", ".yml", ".md", ".markdown", ".html", ".htm"), 5 * MEGABYTE),
    ".xlsx": 100 * MEGABYTE,
}
"""Bytes of a file by its ending: lines are read one by one, other formats are held whole."""

_CHUNK = 1 << 20
_SAMPLE = 4000
_USUAL = 0.8
_HAN = re.compile("[\u4e00-\u9fff]")
_ZIP = b"PK\x03\x04"
_KINDS = (
    (_ZIP, "is an Excel workbook or another zip archive; give it the ending .xlsx, or unpack it"),
    (b"PK\x05\x06", "is an empty zip archive; save the workbook again"),
    (b"\xd0\xcf\x11\xe0", "is an old Excel workbook (.xls) or has a password; save it as .xlsx without a password"),
    (b"%PDF", "is a PDF; save its text as Markdown or HTML"),
    (b"\x1f\x8b", "is packed with gzip; unpack it"),
    (b"{\\rtf", "is rich text; save it as HTML"),
    (b"\xff\xfe", "is UTF-16; save it as UTF-8 (in Excel: CSV UTF-8)"),
    (b"\xfe\xff", "is UTF-16; save it as UTF-8 (in Excel: CSV UTF-8)"),
)


def fault_of(path: Path) -> tuple[int | None, str] | None:
    """Finds out why a file cannot be what its ending says.

    Args:
        path: a file with an ending that the import knows.

    Returns:
        The line, None where the whole file is meant, and what is wrong with what to do; None for a sound file.
    """
    try:
        size = path.stat().st_size
        largest = _LARGEST[path.suffix.lower()]
        if size > largest:
            most = f"{largest // MEGABYTE} MB"
            return None, f"expected at most {most}, it has {size / MEGABYTE:.0f} MB; split it into several files"
        with path.open("rb") as file:
            start = file.read(_CHUNK)
        kind = next((message for magic, message in _KINDS if start.startswith(magic)), None)
        if path.suffix.lower() == ".xlsx":
            return _fault_of_workbook(start, kind)
        if kind:
            return None, kind
        if b"\0" in start[:4096]:
            return None, "is no text but binary data; choose another file"
        return _fault_of_text(path)
    except OSError as error:
        return None, f"cannot be read ({error.strerror or error}); check the path and its permissions"


def _fault_of_workbook(start: bytes, kind: str | None) -> tuple[int | None, str] | None:
    if start.startswith(_ZIP):
        return None
    if not start:
        return None, "the file is empty; save the workbook again"
    if kind:
        return None, kind
    guess = "HTML, then give it the ending .html" if start.lstrip()[:1] == b"<" else "CSV, then give it the ending .csv"
    return None, f"is no Excel workbook though it ends in .xlsx; it may be {guess}, else save it again as .xlsx"


def _fault_of_text(path: Path) -> tuple[int | None, str] | None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    line = 1
    with path.open("rb") as file:
        while True:
            chunk = file.read(_CHUNK)
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                # The decoder may have kept bytes of the chunk before, which hold no line break.
                before = error.object[: error.start]
                return line + before.count(b"\n"), _foreign_encoding(error.object, error.start)
            if not chunk:
                return None
            line += chunk.count(b"\n")


def _foreign_encoding(content: bytes, place: int) -> str:
    byte, sample = content[place], content[place : place + _SAMPLE]
    guess = _chinese_encoding(sample)
    if guess is None:
        return f"byte 0x{byte:02x} is not UTF-8; save the file as UTF-8"
    return (
        f"byte 0x{byte:02x} is not UTF-8, the file reads as {'Big5' if guess == 'big5' else 'GBK'}; save it as UTF-8 "
        f"(in Excel: CSV UTF-8), or convert it with `iconv -f {guess} -t utf-8`"
    )


def _chinese_encoding(sample: bytes) -> str | None:
    read = {name: _HAN.findall(_decoded(sample, name)) for name in ("gb18030", "big5")}
    # Big5 read as GB 18030 gives many rare signs; GBK hardly has any beyond GB 2312.
    usual = [sign for sign in read["gb18030"] if _decoded(sign.encode("gb18030"), "gb2312")]
    if read["gb18030"] and (len(usual) > _USUAL * len(read["gb18030"]) or not read["big5"]):
        return "gb18030"
    return "big5" if read["big5"] else None


def _decoded(content: bytes, encoding: str) -> str:
    """The text, but for a character that the end cuts off; empty where it is none of this encoding."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(content)
    except UnicodeDecodeError:
        return ""
