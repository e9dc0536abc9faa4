"""What the Telegram double remembers: chats, updates, messages, calls, faults and files."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]
FaultKind = Literal["406", "413", "429", "500", "502", "drop_before", "drop_after", "hang", "hang_after"]


class ApiError(Exception):
    """An answer with `ok: false`."""

    def __init__(self, code: int, description: str, parameters: Json | None = None) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters

    def body(self) -> Json:
        """The JSON document of the answer."""
        document: Json = {"ok": False, "error_code": self.code, "description": self.description}
        return document | ({"parameters": self.parameters} if self.parameters else {})


@dataclass
class BotMessage:
    """A message that the bot sent, as it stands now (edits and deletion included)."""

    message_id: int
    chat_id: int
    text: str
    method: str
    at: float
    rows: list[list[Json]] = field(default_factory=list)
    parse_mode: str = ""
    file_id: str = ""
    quotes: int | None = None
    edited: bool = False
    deleted: bool = False

    @property
    def buttons(self) -> list[str]:
        """The labels of the inline buttons, row by row."""
        return [button["text"] for row in self.rows for button in row]


@dataclass(frozen=True)
class Call:
    """One request to the API; `fault` names the fault that met it, if any."""

    method: str
    parameters: Json
    at: float
    fault: str = ""


@dataclass
class Fault:
    """A failure that waits for its request."""

    method: str
    kind: FaultKind
    times: int
    retry_after: int
    chat_id: int | None


Trouble = Callable[[str, int | None], Fault | None]
"""Says of a request to a method, for a chat where one is named, which failure it meets."""


@dataclass
class Webhook:
    """Where updates are posted to."""

    url: str = ""
    secret: str = ""
    max_connections: int = 40
    error: str = ""
    error_at: int = 0


@dataclass(frozen=True)
class StoredFile:
    """A file that somebody uploaded."""

    path: str
    content: bytes


class State:
    """Everything behind one lock; `changed` is notified whenever something happens."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.changed = threading.Condition(threading.RLock())
        self.on_update: Callable[[], None] = lambda: None
        self.chats: dict[int, Json] = {}
        self.blocked: set[int] = set()
        self.updates: list[Json] = []
        self.allowed_updates: list[str] = []
        self.messages: list[BotMessage] = []
        self.calls: list[Call] = []
        self.faults: list[Fault] = []
        self.trouble: Trouble = lambda _method, _chat_id: None
        self.webhook = Webhook()
        self.open_queries: set[str] = set()
        self.answered_queries: list[str] = []
        self.files: dict[str, StoredFile] = {}
        self.commands: dict[str, list[Json]] = {}
        self.profile: dict[str, Any] = {}
        self._update_ids = itertools.count(700_000_001)
        self._message_ids = itertools.count(1)
        self._file_ids = itertools.count(1)

    @property
    def bot(self) -> Json:
        """The bot's own user."""
        bot_id = int(self.token.partition(":")[0])
        return {"id": bot_id, "is_bot": True, "first_name": "Front Desk", "username": "frontdesk_double_bot"}

    def next_message_id(self) -> int:
        """An id for a message in any chat."""
        return next(self._message_ids)

    def store_file(self, name: str, content: bytes) -> str:
        """Keeps a file and gives its id."""
        with self.changed:
            number = next(self._file_ids)
            self.files[f"file-{number}"] = StoredFile(f"files/{number}/{name}", content)
        return f"file-{number}"

    def add_update(self, kind: str, payload: Json) -> Json:
        """Queues an update, unless the bot asked not to get its kind."""
        with self.changed:
            update = {"update_id": next(self._update_ids), kind: payload}
            if not self.allowed_updates or kind in self.allowed_updates:
                self.updates.append(update)
            self.changed.notify_all()
        self.on_update()
        return update

    def confirm(self, offset: int) -> None:
        """Forgets updates below `offset`; a negative offset keeps only that many of the latest."""
        with self.changed:
            if offset < 0:
                self.updates = self.updates[offset:]
            else:
                self.updates = [update for update in self.updates if update["update_id"] >= offset]
            self.changed.notify_all()

    def add_message(self, message: BotMessage) -> None:
        """Notes what the bot sent."""
        with self.changed:
            self.messages.append(message)
            self.changed.notify_all()

    def find_message(self, chat_id: int, message_id: int) -> BotMessage | None:
        """A message of the bot that was not deleted."""
        with self.changed:
            return next(
                (m for m in self.messages if (m.chat_id, m.message_id) == (chat_id, message_id) and not m.deleted),
                None,
            )

    def note_call(self, method: str, parameters: Json, fault: Fault | None) -> None:
        """Notes a request."""
        with self.changed:
            self.calls.append(Call(method, parameters, time.monotonic(), fault.kind if fault else ""))
            self.changed.notify_all()

    def take_fault(self, method: str, chat_id: int | None) -> Fault | None:
        """The fault that this request must meet, if any; one that waited for it is used up by that."""
        with self.changed:
            for fault in self.faults:
                if fault.method.lower() == method.lower() and fault.chat_id in (None, chat_id):
                    fault.times -= 1
                    if fault.times <= 0:
                        self.faults.remove(fault)
                    return fault
            return self.trouble(method, chat_id)
