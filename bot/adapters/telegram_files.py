"""Files that customers sent over Telegram."""

from __future__ import annotations

import json
import posixpath
import time

import httpx

from bot.adapters.timed_http import TimedHttp
from bot.domain.messages import Attachment
from bot.errors import UnavailableError

MOST_BYTES = 20_000_000
"""What a bot can fetch at most, by Telegram's own limit."""
_MOST_ANSWER = 100_000


class TelegramFiles:
    """Fetches by `getFile`; implements the port `Attachments`. No error names the address, which holds the token.

    Args:
        token: the bot's token.
        api_url: where the Bot API is.
        seconds: how long a file may take in all.
        transport: what carries requests; httpx's own by default.
    """

    def __init__(
        self, token: str, api_url: str, seconds: float = 20.0, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._calls = f"{api_url.rstrip('/')}/bot{token}"
        self._files = f"{api_url.rstrip('/')}/file/bot{token}"
        self._seconds = seconds
        self._http = TimedHttp(transport=transport)

    def fetch(self, media: str) -> Attachment:
        """Fetches a file; see the port `Attachments`."""
        end = time.monotonic() + self._seconds
        try:
            told = json.loads(self._get(f"{self._calls}/getFile", {"file_id": media}, _MOST_ANSWER, end))
            path = told["result"]["file_path"]
            return Attachment(posixpath.basename(path), self._get(f"{self._files}/{path}", {}, MOST_BYTES, end))
        except httpx.HTTPStatusError as error:
            raise UnavailableError(f"Telegram does not give the file ({error.response.status_code})") from None
        except (httpx.HTTPError, httpx.InvalidURL, UnavailableError) as error:
            raise UnavailableError(f"Telegram did not give the file ({type(error).__name__})") from None
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise UnavailableError("Telegram answered with something that names no file") from error

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def _get(self, url: str, query: dict[str, str], most_bytes: int, end: float) -> bytes:
        left = max(0.0, end - time.monotonic())
        response = self._http.exchange("GET", url, seconds=left, most_bytes=most_bytes, params=query)
        return response.raise_for_status().content
