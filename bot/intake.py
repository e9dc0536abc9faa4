"""From a stored message to its answer: order within a conversation, one answer a message, recovery after a crash.

A message is stored before anything else happens. Worker threads then take conversations with waiting messages, hold
the conversation's lock and answer its messages in order. A sweep finds what a dead process, a lost Redis or a locked
database left waiting, in this process or any other. No worker waits for a conversation that is being answered already,
so a slow one holds up no other.
"""

from __future__ import annotations

import queue
import threading
from collections import Counter as Counts
from collections.abc import Callable, Collection
from dataclasses import replace
from time import monotonic
from typing import Any

import structlog
from prometheus_client import Counter, Histogram

from bot.domain.log_ports import ConversationLog
from bot.domain.messages import OPEN_CHANNELS, IncomingMessage, Reply
from bot.domain.ports import LiveState
from bot.domain.private_numbers import PrivateKind, hide
from bot.errors import BusyError, LogUnavailableError, StateUnavailableError, UnavailableError
from bot.pipeline import Pipeline

log_line = structlog.get_logger(__name__)

_TURNS = Counter("frontdesk_turns", "Messages answered.", ["channel", "decision"])
_SECONDS = Histogram("frontdesk_answer_seconds", "Time to answer one message.", ["channel"])
_TRIES = 3
_SWEEP_SECONDS = 1.0
_LOCK_TRY_SECONDS = 0.2
_LATE_SECONDS = 10.0


class MessageIntake:
    """Stores messages and has them answered; implements the port `Intake`.

    Args:
        pipeline: answers one message.
        log: the durable truth.
        state: live state and locks.
        apology: gives the text for "we have a problem, your message is safe" in the message's language.
        hidden_numbers: which private numbers are hidden before a message is stored.
        workers: how many conversations are answered side by side in this process.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        log: ConversationLog,
        state: LiveState,
        apology: Callable[[IncomingMessage], Reply],
        *,
        hidden_numbers: Collection[PrivateKind] = frozenset(PrivateKind),
        workers: int = 4,
    ) -> None:
        self._pipeline = pipeline
        self._log = log
        self._state = state
        self._apology = apology
        self._hidden_numbers = hidden_numbers
        self._waiting: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._queued: set[str] = set()
        self._draining: Counts[str] = Counts()
        self._again: set[str] = set()
        self._busy_since: dict[str, float] = {}
        self._guard = threading.Lock()
        self._failures: dict[tuple[str, str], int] = {}
        self._stopping = threading.Event()
        self._tell: Callable[[str], None] = lambda _: None
        self._threads = [threading.Thread(target=self._work, name=f"answer-{i}", daemon=True) for i in range(workers)]
        self._threads.append(threading.Thread(target=self._sweep, name="answer-sweep", daemon=True))

    def when_answered(self, tell: Callable[[str], None]) -> None:
        """Has the channel of each answered message told, so that the replies need not wait until somebody looks.

        Args:
            tell: called from any thread.
        """
        self._tell = tell

    def start(self) -> None:
        """Starts the workers and the sweep."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Lets answers under way finish, then ends the threads."""
        self._stopping.set()
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=15)

    def accept(self, message: IncomingMessage) -> bool:
        """Stores a message durably and has it answered soon; see the port `Intake`."""
        fresh = self._store(message)
        if fresh:
            self._enqueue(message.conversation)
        return fresh

    def answer(self, message: IncomingMessage) -> dict[str, Any]:
        """Stores a message and waits for its answer document; see the port `Intake`."""
        self._store(message)
        document = self._log.answer_document(message.conversation, message.id)
        if document is None:
            answered = self.drain(message.conversation)
            # A customer who had everything erased has no turn to look up.
            document = self._log.answer_document(message.conversation, message.id) or answered.get(message.id)
        if document is None:
            raise UnavailableError("The message is stored but could not be answered yet; send the same id again soon.")
        return document

    def drain(self, conversation: str) -> dict[str, dict[str, Any]]:
        """Answers every waiting message of a conversation, in order.

        Args:
            conversation: which.

        Returns:
            The documents of what was answered, by message id.

        Raises:
            UnavailableError: Redis or SQL is away; what is left waits.
        """
        with self._guard:
            self._draining[conversation] += 1
        try:
            return self._answer_waiting(conversation)
        finally:
            self._end_drain(conversation)

    def _answer_waiting(self, conversation: str, lock_wait: float | None = None) -> dict[str, dict[str, Any]]:
        answered: dict[str, dict[str, Any]] = {}
        with self._state.lock(conversation, lock_wait):
            while (message := self._log.next_pending(conversation)) is not None:
                if (document := self._answer_one(message)) is not None:
                    answered[message.id] = document
        with self._guard:
            self._busy_since.pop(conversation, None)
        return answered

    def _begin_drain(self, conversation: str) -> bool:
        """Has a worker drain a queued conversation, unless another thread does; False where it has to look again."""
        with self._guard:
            self._queued.discard(conversation)
            if conversation in self._draining:
                self._again.add(conversation)
                return False
            self._draining[conversation] += 1
            return True

    def _end_drain(self, conversation: str) -> None:
        with self._guard:
            self._draining[conversation] -= 1
            done = not self._draining[conversation]
            again = done and conversation in self._again
            if done:
                del self._draining[conversation]
                self._again.discard(conversation)
        if again:
            self._enqueue(conversation)

    def _answer_one(self, message: IncomingMessage) -> dict[str, Any] | None:
        """Answers one message; one that fails again and again is handed to a human instead of blocking the rest."""
        key = (message.conversation, message.id)
        document = None
        try:
            channel = _counted_as(message.channel)
            with _SECONDS.labels(channel).time():
                document = self._pipeline.handle(message)
            _TURNS.labels(channel, document["decision"]["kind"]).inc()
        except UnavailableError:
            raise
        except Exception as error:
            self._failures[key] = self._failures.get(key, 0) + 1
            log_line.exception("answer_failed", conversation=message.conversation, tries=self._failures[key])
            if self._failures[key] < _TRIES:
                raise UnavailableError("An internal error; the message is tried again.") from error
            self._pipeline.give_up(message)
        self._failures.pop(key, None)
        self._tell(message.channel)
        return document

    def _store(self, message: IncomingMessage) -> bool:
        return self._log.accept(replace(message, text=hide(message.text, self._hidden_numbers)))

    def _enqueue(self, conversation: str) -> None:
        """Has a worker drain a conversation; one that is being drained is looked at again when that ends."""
        with self._guard:
            if conversation in self._draining:
                self._again.add(conversation)
                return
            if conversation in self._queued:
                return
            self._queued.add(conversation)
        self._waiting.put(conversation)

    def _work(self) -> None:
        while (conversation := self._waiting.get()) is not None and not self._stopping.is_set():
            if not self._begin_drain(conversation):
                continue
            try:
                self._try_to_answer(conversation)
            except Exception:
                # The sweep tries again; a worker that ended would be missed for as long as the process runs.
                log_line.exception("answering_failed", conversation=conversation)
            finally:
                self._end_drain(conversation)

    def _try_to_answer(self, conversation: str) -> None:
        try:
            self._answer_waiting(conversation, _LOCK_TRY_SECONDS)
        except BusyError:
            # Another process answers it, or died in it; the sweep tries again.
            self._note_busy(conversation)
        except StateUnavailableError as error:
            log_line.warning("state_unavailable", conversation=conversation, error=str(error))
            self._apologise(conversation)
        except UnavailableError as error:
            log_line.warning("answer_delayed", conversation=conversation, error=str(error))

    def _note_busy(self, conversation: str) -> None:
        """Notes that a waiting message cannot be looked at yet; its customer hears so when that has lasted too long."""
        now = monotonic()
        with self._guard:
            since = self._busy_since.setdefault(conversation, now)
            late = now - since >= _LATE_SECONDS
            if late:
                self._busy_since[conversation] = now
        if late:
            log_line.warning("answer_delayed", conversation=conversation, error="another turn of it still runs")
            self._apologise(conversation)

    def _apologise(self, conversation: str) -> None:
        """Tells the customer once for each waiting message that the answer comes later."""
        try:
            message = self._log.next_pending(conversation)
            if message is not None:
                key = f"late:{conversation}:{message.id}"
                self._log.add_outgoing(conversation, self._apology(message), author="system", key=key)
        except LogUnavailableError as error:
            log_line.warning("log_unavailable", error=str(error))

    def _sweep(self) -> None:
        while True:
            try:
                self._sweep_once()
            except LogUnavailableError as error:
                log_line.warning("log_unavailable", error=str(error))
            except Exception:
                log_line.exception("sweep_failed")
            if self._stopping.wait(_SWEEP_SECONDS):
                return

    def _sweep_once(self) -> None:
        waiting = self._log.pending_conversations()
        with self._guard:
            self._busy_since = {each: since for each, since in self._busy_since.items() if each in waiting}
            busy = [conversation for conversation in waiting if conversation in self._draining]
        for conversation in busy:
            self._note_busy(conversation)
        for conversation in waiting:
            self._enqueue(conversation)


def _counted_as(channel: str) -> str:
    """A channel as metrics name it: callers of the API choose their own, and each label costs memory for good."""
    return channel if channel in OPEN_CHANNELS else "api"
