"""What endpoints that speak as OpenAI's do have in common: an address, a key, and a time."""

from __future__ import annotations

import time
from typing import Any

import httpx

from bot.adapters.http_reading import read_within

_MOST_BYTES = 200_000


class OpenAiEndpoint:
    """Posts to one address.

    Args:
        url: the address.
        key: the bearer token, None where none is needed.
        seconds: how long an answer may take in all.
        transport: what carries requests; httpx's own by default.

    Attributes:
        url: the address.
    """

    def __init__(self, url: str, key: str | None, seconds: float, transport: httpx.BaseTransport | None) -> None:
        self.url = url
        self._seconds = seconds
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(headers=headers, timeout=seconds, transport=transport)

    def post(self, **body: Any) -> bytes:
        """Posts and reads the answer, at most 200 kB and only until the time is up, however slowly it drips in.

        Args:
            **body: what is posted, as httpx takes it: `json`, or `data` and `files`.

        Returns:
            The answer's body.

        Raises:
            httpx.HTTPError: it did not answer, or refused.
            UnavailableError: its answer is too long or took too long.
        """
        end = time.monotonic() + self._seconds
        with self._http.stream("POST", self.url, **body) as response:
            response.raise_for_status()
            return read_within(response, _MOST_BYTES, end)

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()
