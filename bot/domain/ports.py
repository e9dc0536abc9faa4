"""What the conversation needs from the outside, as protocols; adapters implement them.

Everything here is synchronous and safe to call from several threads. Times are aware datetimes in UTC.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

from bot.domain.conversation import Conversation
from bot.domain.messages import Attachment, IncomingMessage
from bot.domain.rules import ActionSpec


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """The present moment in UTC, aware."""


class LiveState(Protocol):
    """Working memory of live conversations (Redis)."""

    def load(self, conversation: str) -> Conversation | None:
        """Reads a live state.

        Args:
            conversation: whose.

        Returns:
            The state, or None where it has expired or never was.

        Raises:
            StateUnavailableError: Redis does not answer.
        """

    def save(self, state: Conversation) -> None:
        """Keeps a state until its time to live runs out.

        Args:
            state: what to keep.

        Raises:
            StateUnavailableError: Redis does not answer.
        """

    def forget(self, conversation: str) -> None:
        """Drops a state."""

    def lock(self, conversation: str, wait: float | None = None) -> AbstractContextManager[None]:
        """Holds the conversation alone, across threads and processes; released when its holder dies.

        Args:
            conversation: which.
            wait: how long to wait for it, in seconds; None for as long as is usual.

        Returns:
            What holds the lock for as long as it is entered.

        Raises:
            BusyError: the lock was not had in time.
            StateUnavailableError: Redis does not answer.
        """

    def allow(self, key: str, limit: int, seconds: int) -> bool:
        """Counts one use of `key`; False once there were more than `limit` within `seconds`."""

    def publish(self, topic: str, payload: str) -> None:
        """Tells every process that listens to `topic`; a lost message must do no harm."""

    def listen(self, topics: list[str], wait: float) -> Iterator[tuple[str, str]]:
        """Yields (topic, payload) as they come; ends after `wait` seconds without one."""

    def ping(self) -> None:
        """Checks that Redis answers.

        Raises:
            StateUnavailableError: it does not.
        """


class Moments(Protocol):
    """A book of moments that all processes share, so that together they keep to a pace."""

    def book(self, key: str, apart: float, slack: float) -> float:
        """Books the next moment of a key.

        Args:
            key: what has a pace.
            apart: how far its moments are apart, in seconds.
            slack: how much earlier one may come after silence, in seconds.

        Returns:
            Seconds until then, 0 for at once.

        Raises:
            StateUnavailableError: the book cannot be had.
        """


class Intake(Protocol):
    """Where channels bring messages."""

    def accept(self, message: IncomingMessage) -> bool:
        """Stores a message durably and has it answered soon; the replies leave through the outbox.

        Args:
            message: what came.

        Returns:
            False where this message was stored before (nothing more happens then).

        Raises:
            LogUnavailableError: it could not be stored; the channel must offer it again.
        """

    def answer(self, message: IncomingMessage) -> dict[str, Any]:
        """Stores a message and waits for its answer document (see the contract of `ask --json`).

        A message that was answered before gets the first answer again. While an agent holds the conversation
        `replies` is empty.

        Args:
            message: what came.

        Returns:
            The answer document, with `replies`, `decision`, `understanding`, `hits`, `release` and `turn`.

        Raises:
            UnavailableError: Redis or SQL is away; where the message was stored, it is answered later.
        """


class Attachments(Protocol):
    """What customers sent beside their words, kept by the channel that they used."""

    def fetch(self, media: str) -> Attachment:
        """Fetches a file.

        Args:
            media: the channel's name for it.

        Returns:
            The file.

        Raises:
            UnavailableError: the channel does not give it, in time or at all.
        """


class Transcriber(Protocol):
    """Puts speech into words."""

    def transcribe(self, recording: Attachment, lang: str | None) -> str:
        """Writes down what is said.

        Args:
            recording: the sound.
            lang: the language that is expected, None for any.

        Returns:
            The words; empty where nothing is said.

        Raises:
            UnavailableError: it did not answer in time, or with something else.
        """


class Rewriter(Protocol):
    """A language model that puts an answer into words that fit a question."""

    def rewrite(self, question: str, answer: str, lang: str) -> str:
        """Rewords an answer.

        Args:
            question: what was asked, without personal data.
            answer: the answer to keep to.
            lang: the language to write in.

        Returns:
            Whatever the model says; the caller checks it.

        Raises:
            UnavailableError: no answer came in time, or none that can be read.
        """


class Actions(Protocol):
    """The company's own API."""

    def call(self, action: ActionSpec, slots: Mapping[str, str], once: str) -> dict[str, str]:
        """Runs an action.

        Args:
            action: which.
            slots: what the form holds.
            once: the same for the same message, however often it is tried.

        Returns:
            The plain fields of the answer, as texts.

        Raises:
            UnavailableError: no answer came in time, or none that can be read.
        """


class Knowledge(Protocol):
    """What the running release and the bot's files know, for pages that offer choices."""

    def labels(self, head: str) -> list[str]:
        """The labels of a head (`intent`, `emotion`) of the running release and the bot's files, sorted."""

    def faq_entries(self) -> list[tuple[str, str]]:
        """(id, question) of every FAQ entry, in the order of the files."""
