"""What the served pages share: security headers, language, cookies, static files and how a customer's turn is shown."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Annotated, Any

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import Field
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from bot.domain.messages import Button, ContentKind
from bot.domain.records import TurnView
from bot.errors import FrontdeskError

LANGUAGES = ("en", "zh")
"""The languages of the pages themselves, the default first."""

RowNumber = Annotated[int, Field(ge=1, lt=2**31)]
"""The number of a stored turn as a caller gives it; every database holds one of this size."""

LANGUAGE_COOKIE = "frontdesk_lang"
_YEAR = 365 * 24 * 3600

SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
"""What every page and file is sent with."""

PageError = HTTPException | RequestValidationError | FrontdeskError
"""What a page may fail with on purpose."""

_RANGE = re.compile(r"\s*([a-z]{1,8})(?:-[a-z0-9-]*)?\s*(?:;\s*q=([01](?:\.\d{0,3})?))?\s*", re.IGNORECASE)


class SecuredRoute(APIRoute):
    """A route whose every answer, errors too, has the security headers and is not stored by any cache."""

    @abstractmethod
    def explain(self, request: Request, error: PageError) -> Response:
        """Turns an error into the answer that its page understands."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wraps the route's handler."""
        handle = super().get_route_handler()

        async def secured(request: Request) -> Response:
            try:
                response = await handle(request)
            except (HTTPException, RequestValidationError, FrontdeskError) as error:
                response = self.explain(request, error)
            response.headers.update({**SECURITY_HEADERS, "Cache-Control": "no-store"})
            asked = request.query_params.get("lang")
            if asked in LANGUAGES:
                set_cookie(response, request, LANGUAGE_COOKIE, str(asked), path="/", max_age=_YEAR)
            return response

        return secured


class PageFiles(StaticFiles):
    """Style sheets and scripts, sent with the security headers and checked for changes on each use."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Serves one file."""
        response = await super().get_response(path, scope)
        response.headers.update({**SECURITY_HEADERS, "Cache-Control": "no-cache"})
        return response


def set_cookie(response: Response, request: Request, name: str, value: str, *, path: str, max_age: int) -> None:
    """Sets a cookie that scripts cannot read and other sites cannot send along with a form.

    Args:
        response: what carries it.
        request: what is answered; over https the cookie is kept to https.
        name: the cookie's name.
        value: the cookie's value.
        path: where it is sent to.
        max_age: seconds until it expires.
    """
    secure = request.url.scheme == "https"
    response.set_cookie(name, value, max_age=max_age, path=path, secure=secure, httponly=True, samesite="lax")


def page_language(request: Request) -> str:
    """The language to show a page in: asked for in the address, chosen before, or the browser's own."""
    for chosen in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        if chosen in LANGUAGES:
            return str(chosen)
    return accepted_language(request.headers.get("accept-language", ""))


def name_in(names: Mapping[str, str], lang: str) -> str:
    """The bot's name in a page's language; in the bot's first one where it has none in that."""
    return names.get(lang) or next(iter(names.values()), "Frontdesk")


def accepted_language(header: str) -> str:
    """The best of `LANGUAGES` for an Accept-Language header; malformed parts of it are passed over."""
    ranked: list[tuple[float, str]] = []
    for part in header[:1000].split(","):
        match = _RANGE.fullmatch(part)
        if match and match[1].lower() in LANGUAGES:
            ranked.append((-float(match[2] or 1), match[1].lower()))
    ranked.sort(key=lambda entry: entry[0])
    return ranked[0][1] if ranked else LANGUAGES[0]


def client_address(request: Request) -> str:
    """The address that a request came from."""
    return request.client.host if request.client else "unknown"


def button_labels(turns: Iterable[TurnView], buttons: Iterable[Button] = ()) -> dict[str, str]:
    """The labels of all buttons that were offered, by value.

    Args:
        turns: turns whose replies may have had buttons.
        buttons: further buttons.

    Returns:
        Value to label; the latest label holds.
    """
    offered = [*buttons, *(button for turn in turns for reply in turn.replies for button in reply.buttons)]
    return {button.value: button.label for button in offered}


def spoken_text(turn: TurnView, labels: Mapping[str, str]) -> str:
    """What a customer sees of their own turn: the text, or the label of the button that was tapped."""
    if turn.kind != ContentKind.BUTTON:
        return turn.text
    return labels.get(turn.text) or turn.text.partition(":")[2] or turn.text
