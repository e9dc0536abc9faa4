"""Who talks in the web chat: a signed cookie names the visitor, and only pages of our own may post."""

from __future__ import annotations

import hashlib
import secrets
from urllib.parse import urlsplit

from fastapi import Request, Response
from itsdangerous import BadSignature, URLSafeTimedSerializer

from bot.web import set_cookie

VISITOR_COOKIE = "frontdesk_visitor"
YEAR = 365 * 24 * 3600


class Visitors:
    """Names visitors by a random id that only this server can have signed."""

    def __init__(self, secret_key: str) -> None:
        self._signer = URLSafeTimedSerializer(
            secret_key, salt="frontdesk.web-chat.visitor", signer_kwargs={"digest_method": hashlib.sha256}
        )

    def find(self, request: Request) -> str | None:
        """The visitor of a request; None without a cookie, or with one that is forged or older than a year."""
        try:
            visitor = self._signer.loads(request.cookies.get(VISITOR_COOKIE, ""), max_age=YEAR)
        except BadSignature:
            return None
        return visitor if isinstance(visitor, str) else None

    def remember(self, request: Request, response: Response) -> str:
        """Names the visitor of a page, a new one where there is none, for another year.

        Args:
            request: what is answered.
            response: carries the cookie.

        Returns:
            The visitor's id.
        """
        visitor = self.find(request) or secrets.token_urlsafe(16)
        set_cookie(response, request, VISITOR_COOKIE, str(self._signer.dumps(visitor)), path="/chat", max_age=YEAR)
        return visitor


def is_own_page(request: Request) -> bool:
    """Whether a POST came from a page of this server.

    A form of another site can send neither the header nor JSON. What the browser says of the page is checked as well:
    over https it tells whether page and server are of one origin (W3C Fetch Metadata), which holds behind a proxy that
    sends another Host, too; else Origin is compared with Host.
    """
    if request.headers.get("x-requested-with") != "frontdesk-chat":
        return False
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return False
    if request.headers.get("sec-fetch-site") == "same-origin":
        return True
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host", "")
