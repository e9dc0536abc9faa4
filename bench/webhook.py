"""Updates that are posted to a bot's webhook as Telegram posts them."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import Any, Self

import httpx

SECRET = secrets.token_hex(16)
"""What the webhook asks for."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """An update on its way.

    Attributes:
        chat: whose.
        number: its `update_id`.
        text: what it says.
    """

    chat: int
    number: int
    text: str

    def document(self) -> dict[str, Any]:
        """The update as Telegram posts it."""
        person = {"id": self.chat, "is_bot": False, "first_name": f"Customer {self.chat}", "language_code": "en"}
        chat = {"id": self.chat, "type": "private", "first_name": person["first_name"]}
        message = {"message_id": self.number, "date": 1_700_000_000, "chat": chat, "from": person, "text": self.text}
        return {"update_id": self.number, "message": message}


class Postman:
    """Posts updates; used as `async with`.

    Args:
        connections: how many posts are under way at a time. The others wait here: httpx looks through all that wait
            for a connection whenever one comes free.
        timeout: seconds that a post may take.
    """

    def __init__(self, connections: int, timeout: float) -> None:
        self._free = asyncio.Semaphore(connections)
        self._client = httpx.AsyncClient(
            timeout=timeout, trust_env=False, headers={"X-Telegram-Bot-Api-Secret-Token": SECRET}
        )

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._client.__aexit__(*error)

    async def post(self, delivery: Delivery, port: int) -> None:
        """Posts an update once.

        Args:
            delivery: the update.
            port: of the server.

        Raises:
            httpx.HTTPError: it was not acknowledged.
        """
        async with self._free:
            answer = await self._client.post(f"http://127.0.0.1:{port}/telegram/webhook", json=delivery.document())
        answer.raise_for_status()
