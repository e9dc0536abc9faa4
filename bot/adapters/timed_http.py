"""Exchanges over HTTP that end in time, however much a service sends and however slowly it drips in."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from functools import cache
from typing import Any

import httpx

from bot.errors import UnavailableError

_STARTING = threading.Lock()


class TimedHttp:
    """A client whose exchanges have a limit in all, for connection, headers and body together.

    httpx limits each wait for the next bytes only, so a service that drips could take for ever. Exchanges therefore run
    in asyncio, which can end one at any moment, in a thread that the clients of a process share. Each has a connection
    of its own: exchanges are rare, and a kept one may have been closed by the service since.

    Args:
        headers: sent with every request.
        transport: what carries requests; httpx's own by default.
    """

    def __init__(
        self, headers: Mapping[str, str] | None = None, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        limits = httpx.Limits(max_keepalive_connections=0)
        self._http = httpx.AsyncClient(headers=headers, timeout=None, limits=limits, transport=transport)  # noqa: S113

    def exchange(self, method: str, url: str, *, seconds: float, most_bytes: int, **content: Any) -> httpx.Response:
        """Sends a request and reads the whole answer.

        Args:
            method: such as `GET`.
            url: where to.
            seconds: how long it may take in all.
            most_bytes: how much is read at most.
            **content: what is sent, as httpx takes it: `headers`, `params`, `json`, or `data` and `files`.

        Returns:
            Status and content of the answer; of a server error the status alone.

        Raises:
            httpx.HTTPError: there was none.
            UnavailableError: it is too long or took too long; of the address, which may hold a key or what a customer
                wrote, it names the host only.
        """
        exchange = self._exchange(method, url, seconds, most_bytes, content)
        return asyncio.run_coroutine_threadsafe(exchange, _loop()).result()

    def close(self) -> None:
        """Closes the connections."""
        asyncio.run_coroutine_threadsafe(self._http.aclose(), _loop()).result()

    async def _exchange(
        self, method: str, url: str, seconds: float, most_bytes: int, content: Mapping[str, Any]
    ) -> httpx.Response:
        try:
            async with asyncio.timeout(seconds), self._http.stream(method, url, **content) as response:
                received = b"" if response.is_server_error else await _read(response, most_bytes)
                return httpx.Response(response.status_code, content=received, request=response.request)
        except TimeoutError as error:
            raise UnavailableError(f"{httpx.URL(url).host} took too long to answer") from error


async def _read(response: httpx.Response, most_bytes: int) -> bytes:
    received = bytearray()
    async for chunk in response.aiter_bytes():
        received += chunk
        if len(received) > most_bytes:
            raise UnavailableError(f"{response.url.host} answered with more than {most_bytes:,} bytes")
    return bytes(received)


def _loop() -> asyncio.AbstractEventLoop:
    with _STARTING:
        return _started_loop()


@cache
def _started_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="http", daemon=True).start()
    return loop
