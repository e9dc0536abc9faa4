"""Speech put into words by an endpoint that speaks OpenAI's audio transcriptions."""

from __future__ import annotations

import json
import re

import httpx

from bot.adapters.openai_endpoint import OpenAiEndpoint
from bot.domain.messages import Attachment
from bot.errors import UnavailableError


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
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._endpoint = OpenAiEndpoint(f"{url.rstrip('/')}/audio/transcriptions", key, seconds, transport)
        self._model = model

    def transcribe(self, recording: Attachment, lang: str | None) -> str:
        """Puts speech into words; see the port `Transcriber`."""
        # Telegram ends Ogg files in "oga", which not every endpoint takes.
        name = re.sub(r"\.oga$", ".ogg", recording.name)
        fields = {"model": self._model, "response_format": "json"} | ({"language": lang} if lang else {})
        try:
            text = json.loads(self._endpoint.post(data=fields, files={"file": (name, recording.content)}))["text"]
        except httpx.HTTPStatusError as error:
            raise UnavailableError(f"{self._endpoint.url} answered with status {error.response.status_code}") from error
        except httpx.HTTPError as error:
            raise UnavailableError(f"{self._endpoint.url} gave no answer ({type(error).__name__})") from error
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise UnavailableError(f"{self._endpoint.url} answered with something that is no transcription") from error
        if not isinstance(text, str):
            raise UnavailableError(f"{self._endpoint.url} answered without a text")
        return text

    def close(self) -> None:
        """Closes the connections."""
        self._endpoint.close()
