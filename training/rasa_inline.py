"""Rasa's inline entities: `[Berlin](city)` and `[Berlin]{"entity": "city", "value": "BER"}`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from nlu.example_schema import Span

# An annotated text can hold no bracket, as in Rasa itself; brackets without a type behind them are plain text.
_ANNOTATED = re.compile(r"\[([^\[\]]+)\](?=\(|\{|\[\s*\{)")
_REMEDY = 'write {"entity": "<type>", "value": "<value>"}'
_TYPE = re.compile(r"\(([^:()]+)(?::([^()]*))?\)")


@dataclass(frozen=True, slots=True)
class AnnotatedText:
    """A text with its entities.

    Attributes:
        text: the text without annotations.
        spans: its entities in order, with offsets into `text`.
        losses: what the annotations said that a span cannot hold, such as a role.
    """

    text: str
    spans: tuple[Span, ...] = ()
    losses: tuple[str, ...] = ()


def parse_annotated(line: str) -> AnnotatedText:
    """Reads an example line.

    Args:
        line: the line, without the hyphen and spaces around it.

    Returns:
        The text and its entities.

    Raises:
        ValueError: an annotation is not valid JSON, or names no entity.
    """
    plain, spans, losses = "", [], []
    at = 0
    while match := _ANNOTATED.search(line, at):
        plain += line[at : match.start()]
        start, end = len(plain), len(plain) + len(match[1])
        if line[match.end()] == "(":
            named = _TYPE.match(line, match.end())
            if named is None or not named[1].strip():
                plain += match[0]
                at = match.end()
                continue
            spans.append(Span(start, end, named[1].strip(), (named[2] or "").strip() or None))
            at = named.end()
        else:
            try:
                document, at = json.JSONDecoder().raw_decode(line, match.end())
            except (ValueError, RecursionError):
                raise ValueError(f"the annotation of [{match[1]}] is not valid JSON; {_REMEDY}") from None
            span, lost = _span(document, start, end, match[1])
            spans.append(span)
            losses += lost
        plain += match[1]
    return AnnotatedText(plain + line[at:], tuple(spans), tuple(losses))


def _span(document: object, start: int, end: int, text: str) -> tuple[Span, list[str]]:
    annotations = document if isinstance(document, list) else [document]
    first = annotations[0]
    if not isinstance(first, dict) or not isinstance(first.get("entity"), str) or not first["entity"].strip():
        raise ValueError(f"the annotation of [{text}] names no entity; {_REMEDY}")
    losses = [f"{name} of [{text}] left out" for name in first if name not in ("entity", "value")]
    losses += [f"annotation {number} of [{text}] left out" for number in range(2, len(annotations) + 1)]
    value = first.get("value")
    return Span(start, end, first["entity"].strip(), None if value in (None, "") else str(value)), losses
