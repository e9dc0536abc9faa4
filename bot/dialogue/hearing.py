"""Voice messages put into words, where the operator has something that does it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import replace

import structlog

from bot.breaker import Breaker
from bot.domain.messages import ContentKind, IncomingMessage
from bot.domain.ports import Attachments, Transcriber
from bot.domain.private_numbers import PrivateKind, hide
from bot.errors import UnavailableError

LONGEST = 4_000
"""Characters; as much as a typed message on Telegram may have."""

log_line = structlog.get_logger(__name__)


class Hearing:
    """Gives voice messages their words.

    What failed three times in a row is left alone for half a minute, so that customers do not wait for it.

    Args:
        attachments: gives the recordings.
        transcriber: puts them into words.
        hidden_numbers: which private numbers are hidden before the words are stored.
        now: tells seconds that only grow.
    """

    def __init__(
        self,
        attachments: Attachments,
        transcriber: Transcriber,
        hidden_numbers: Collection[PrivateKind] = frozenset(PrivateKind),
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._attachments = attachments
        self._transcriber = transcriber
        self._hidden_numbers = hidden_numbers
        self._breaker = Breaker(now)

    def of(self, message: IncomingMessage, lang: str | None) -> IncomingMessage:
        """Puts a voice message into words.

        Args:
            message: what came.
            lang: the language that the customer is expected to speak, None for any.

        Returns:
            The message with its words; as it is where it is no recording, has words already, or cannot be heard.
        """
        if message.kind is not ContentKind.VOICE or not message.media or message.text.strip() or self._breaker.is_open:
            return message
        try:
            words = self._transcriber.transcribe(self._attachments.fetch(message.media), lang)
        except UnavailableError as error:
            self._breaker.failed()
            log_line.warning("voice_not_heard", conversation=message.conversation, error=str(error))
            return message
        self._breaker.succeeded()
        return replace(message, text=hide(words.strip()[:LONGEST], self._hidden_numbers))
