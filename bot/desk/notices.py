"""What agents read in their own chat when a conversation asks for a human."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bot.desk.reasons import in_language
from bot.domain.messages import Reply
from bot.domain.records import Escalation
from bot.domain.rules import Priority

_WAITS: Mapping[str, Mapping[Priority, str]] = {
    "en": {
        Priority.NORMAL: "Somebody waits for a person.",
        Priority.HIGH: "Important: somebody waits for a person.",
        Priority.URGENT: "Urgent: somebody waits for a person.",
    },
    "zh": {
        Priority.NORMAL: "有客户在等待人工。",
        Priority.HIGH: "重要：有客户在等待人工。",
        Priority.URGENT: "紧急：有客户在等待人工。",
    },
}
_REASON = {"en": "Reason: {}", "zh": "原因：{}"}


def notice(escalation: Escalation, lang: str, console: str) -> Reply:
    """Words a notice without anything that the customer wrote and without their name or id.

    Args:
        escalation: the conversation's wish for a human.
        lang: the language of the notice; English where it is another than these.
        console: the console's public address, empty where it has none.

    Returns:
        What the agents' chat gets.
    """
    spoken = lang if lang in _WAITS else "en"
    lines = [_WAITS[spoken][escalation.priority]]
    # What follows a colon may quote the customer, or hold what they filled into a form.
    if kind := re.split(r"[:;]", escalation.reason, maxsplit=1)[0].strip():
        lines.append(_REASON[spoken].format(in_language(kind, spoken)))
    lines.append(f"{console}/escalation?id={escalation.id}" if console else f"#{escalation.id}")
    return Reply("\n".join(lines), spoken)
