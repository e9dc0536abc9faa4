"""Renders the console's templates; everything that comes from outside is escaped."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from bot.console.texts import TEXTS
from bot.desk.reasons import in_language
from bot.errors import UnavailableError
from bot.web import PageError, SecuredRoute, name_in, page_language


def percent(value: float) -> str:
    """A probability as a percentage, never rounded up to certainty."""
    return f"{min(value, 0.999) * 100:.0f}%" if value < 0.995 else "99%+"


def moment(at: datetime) -> Markup:
    """A point in time; a script shows it in the reader's own zone."""
    utc = at.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(utc.isoformat(timespec="seconds"), f"{utc:%Y-%m-%d %H:%M}")


def waited(span: timedelta, lang: str) -> str:
    """A waiting time, in whole minutes, hours or days."""
    minutes = int(span.total_seconds() // 60)
    texts = TEXTS[lang]
    if minutes < 1:
        return texts["now"]
    for key, size in (("day", 1440), ("hour", 60)):
        if minutes >= size:
            return texts[key].format(n=minutes // size)
    return texts["minute"].format(n=minutes)


def spent(span: timedelta, lang: str) -> str:
    """How long something took; what took less than a minute is said so."""
    return waited(span, lang) if span >= timedelta(minutes=1) else TEXTS[lang]["under_a_minute"]


_environment = Environment(
    loader=PackageLoader("bot.console"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters.update(percent=percent, moment=moment, in_language=in_language)


class Pages:
    """Renders the console's pages under the bot's name."""

    def __init__(self, bot_names: Mapping[str, str]) -> None:
        self._bot_names = bot_names

    def render(self, request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        """Renders a page or a part of one; see `render`."""
        bot_name = name_in(self._bot_names, page_language(request))
        return render(request, template, status=status, bot_name=bot_name, **values)

    def part(self, request: Request, template: str, **values: Any) -> Response:
        """Renders a part of a page, or says that it is still as it was the last time."""
        response = self.render(request, template, **values)
        tag = f'"{hashlib.sha256(response.body).hexdigest()[:32]}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag})
        response.headers["ETag"] = tag
        return response


def render(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Renders a page or a part of one.

    Args:
        request: what is answered.
        template: the template's name without `.html`.
        status: HTTP status.
        **values: what the template shows.

    Returns:
        The page.
    """
    lang = page_language(request)
    texts = TEXTS[lang]

    def text(key: str, **slots: object) -> str:
        return texts[key].format(**slots) if slots else texts[key]

    values = {"session": None, "notice": "", "here": "/console/login", "bot_name": "", **values}
    page = _environment.get_template(f"{template}.html").render(
        t=text,
        lang=lang,
        waited=lambda span: waited(span, lang),
        spent=lambda span: spent(span, lang),
        **values,
    )
    return HTMLResponse(page, status)


class ConsoleRoute(SecuredRoute):
    """A route of the console: errors are pages in the agent's language."""

    def explain(self, request: Request, error: PageError) -> Response:
        """Turns an error into a page; redirections pass."""
        if isinstance(error, HTTPException) and error.status_code < 400:
            return Response(status_code=error.status_code, headers=error.headers)
        if isinstance(error, HTTPException):
            status = error.status_code
        elif isinstance(error, UnavailableError):
            status = 503
        else:
            status = 422
        key = f"error_{status}" if status in (403, 404, 422, 503) else "error_403"
        detail = "" if isinstance(error, HTTPException | RequestValidationError) else escape(str(error))
        return render(request, "error", status=status, key=key, detail=detail)
