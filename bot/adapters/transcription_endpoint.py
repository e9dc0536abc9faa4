"""Speech put into words by an endpoint that speaks OpenAI's audio transcriptions."""

from __future__ import annotations

import json
import time

import httpx

from bot.adapters.http_reading import read_within
from bot.domain.messages import Attachment
from bot.errors import UnavailableError

_MOST_BYTES = 200_000


class TranscriptionEndpoint:
    """Transcribes by `POST {url}/audio/transcriptions`; implements the port `Transcriber`.

    Args:
        url: the endpoint's base, such as `http://127.0.0.1:8000/v1`.
        model: the model's name there.
        key: the bearer token, None where none is needed.
        seconds: how long an answer may take in all.
        transport: what carries requests; httpx's own by default.
    """

    def __init__(
        self,
        url: str,
        model: str,
        key: str | None = None,
        seconds: float = 20.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._url = f"{url.rstrip('/')}/audio/transcriptions"
        self._model = model
        self._seconds = seconds
        self._http = httpx.Client(headers=headers, timeout=seconds, transport=transport)

    def transcribe(self, recording: Attachment, lang: str | None) -> str:
        """Puts speech into words; see the port `Transcriber`."""
        # Telegram ends Ogg files in "oga", which not every endpoint takes.
        name = recording.name.removesuffix(".oga") + ".ogg" if recording.name.endswith(".oga") else recording.name
        fields = {"model": self._model, "response_format": "json"} | ({"language": lang} if lang else {})
        try:
            text = json.loads(self._post(fields, name, recording.content))["text"]
        except httpx.HTTPStatusError as error:
            raise UnavailableError(f"{self._url} answered with status {error.response.status_code}") from error
        except httpx.HTTPError as error:
            raise UnavailableError(f"{self._url} gave no answer ({type(error).__name__})") from error
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise UnavailableError(f"{self._url} answered with something that is no transcription") from error
        if not isinstance(text, str):
            raise UnavailableError(f"{self._url} answered without a text")
        return text

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def _post(self, fields: dict[str, str], name: str, content: bytes) -> bytes:
        end = time.monotonic() + self._seconds
        with self._http.stream("POST", self._url, data=fields, files={"file": (name, content)}) as response:
            response.raise_for_status()
            return read_within(response, _MOST_BYTES, end)
