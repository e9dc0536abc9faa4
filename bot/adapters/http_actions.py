"""Calls a company's own HTTP API for what only it knows: the state of an order, a cancellation."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Collection, Mapping
from urllib.parse import quote

import httpx

from bot.adapters.timed_http import TimedHttp
from bot.alerts import named
from bot.breaker import Breaker
from bot.domain.private_numbers import PrivateKind, hide
from bot.domain.rules import ActionSpec
from bot.errors import UnavailableError

_MOST_BYTES = 100_000
_TRIES = 2


class HttpActions:
    """Runs actions; implements the port `Actions`.

    Everything is tried twice; what is no read (GET) has an `Idempotency-Key` that stays the same for the same message.
    Statuses below 500 are answers: an API may say that it knows no such order with a 404 and a document. One that
    failed three times in a row is left alone for half a minute, so that customers do not wait for it.

    What it answers may be said to customers. So private numbers are hidden in it, and values with unwanted words count
    as absent.

    Args:
        url: the API's base, such as `https://shop.example/api`.
        key: its bearer token, None where none is needed.
        transport: what carries requests; httpx's own by default.
        now: tells seconds that only grow.
        hidden_numbers: which private numbers are hidden.
        unwanted: words that are never said.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        now: Callable[[], float] = time.monotonic,
        *,
        hidden_numbers: Collection[PrivateKind] = frozenset(PrivateKind),
        unwanted: Collection[str] = (),
    ) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._url = url.rstrip("/")
        self._http = TimedHttp(headers, transport)
        self._now = now
        self._breaker = Breaker(now)
        self._hidden_numbers = hidden_numbers
        self._unwanted = unwanted

    def call(self, action: ActionSpec, slots: Mapping[str, str], once: str) -> dict[str, str]:
        """Runs an action; see the port `Actions`."""
        if self._breaker.is_open:
            raise UnavailableError(f"{self._url} failed and is left alone for a while")
        path = action.path.format_map({name: _part(name, value) for name, value in slots.items()})
        # Errors are logged: they name the path as it is declared, not what a customer filled in.
        what = f"{action.method} {action.path}"
        try:
            content = self._request(action, path, dict(slots), once)
        except (httpx.HTTPError, UnavailableError) as error:
            self._breaker.failed()
            raise UnavailableError(f"{what} gave no answer: {_why(error)}") from error
        self._breaker.succeeded()
        return self._sayable(_values(content, what))

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def _sayable(self, values: Mapping[str, str]) -> dict[str, str]:
        return {
            name: hide(value, self._hidden_numbers)
            for name, value in values.items()
            if not named(value, self._unwanted)
        }

    def _request(self, action: ActionSpec, path: str, slots: dict[str, str], once: str) -> bytes:
        end = self._now() + action.seconds
        key = hashlib.sha256(once.encode("utf-8", "replace")).hexdigest()
        reads = action.method == "GET"
        for tried in range(1, _TRIES + 1):
            try:
                response = self._http.exchange(
                    action.method,
                    self._url + path,
                    seconds=max(0.1, end - self._now()),
                    most_bytes=_MOST_BYTES,
                    json=None if reads else slots,
                    headers={} if reads else {"Idempotency-Key": key},
                )
                return _answer(response)
            except httpx.HTTPError:
                if tried == _TRIES or self._now() >= end:
                    raise
        raise AssertionError("unreachable: the last try returns or raises")


def _answer(response: httpx.Response) -> bytes:
    if response.is_server_error:
        response.raise_for_status()
    return response.content


def _why(error: Exception) -> str:
    """What went wrong, without the address, which holds what a customer filled in."""
    if isinstance(error, httpx.HTTPStatusError):
        return f"status {error.response.status_code}"
    return str(error) or type(error).__name__


def _part(name: str, value: str) -> str:
    """A value as one part of a path; dots alone would lead out of it."""
    if not value.strip("."):
        raise UnavailableError(f"the value of {name} cannot be a part of an address")
    return quote(value, safe="")


def _values(content: bytes, what: str) -> dict[str, str]:
    """The texts, numbers and truth values of a JSON object, as texts."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UnavailableError(f"{what} answered with something that is no JSON") from error
    if not isinstance(document, dict):
        raise UnavailableError(f"{what} answered with a JSON {type(document).__name__}, not with an object")
    return {
        str(name): str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in document.items()
        if isinstance(value, str | int | float)
    }
