"""What endpoints that speak as OpenAI's do have in common: an address, a key, and a time."""

from __future__ import annotations

from typing import Any

import httpx

from bot.adapters.timed_http import TimedHttp

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

    def __init__(self, url: str, key: str | None, seconds: float, transport: httpx.AsyncBaseTransport | None) -> None:
        self.url = url
        self._seconds = seconds
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = TimedHttp(headers, transport)

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
        response = self._http.exchange("POST", self.url, seconds=self._seconds, most_bytes=_MOST_BYTES, **body)
        return response.raise_for_status().content

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()
