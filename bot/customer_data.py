"""What a customer who asks for their data gets."""

from __future__ import annotations

import json

from bot.domain.log_ports import ConversationLog

FILE_NAME = "my-data.json"
"""What the file is called."""


def own_data(log: ConversationLog, conversation: str) -> bytes:
    """Everything stored about a customer, but for what agents noted for each other.

    Args:
        log: where it is stored.
        conversation: whose.

    Returns:
        An indented JSON document in UTF-8.

    Raises:
        LogUnavailableError: the database does not answer.
    """
    stored = log.export_customer(conversation)
    stored.pop("notes", None)
    return json.dumps(stored, ensure_ascii=False, indent=2).encode("utf-8", "replace")
