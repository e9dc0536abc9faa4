from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.desk.notices import notice
from bot.domain.records import Escalation
from bot.domain.rules import Priority


def wish(reason: str, priority: Priority = Priority.NORMAL) -> Escalation:
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    return Escalation(17, "telegram:1001", reason, "open", at, "", "I am furious", "Anna", "en", priority)


@pytest.mark.parametrize(
    ("lang", "priority", "text"),
    [
        ("en", Priority.URGENT, "Urgent: somebody waits for a person.\nReason: strong anger\n"),
        ("zh", Priority.HIGH, "重要：有客户在等待人工。\n原因：情绪强烈（anger）\n"),
        ("fr", Priority.NORMAL, "Somebody waits for a person.\nReason: strong anger\n"),
    ],
)
def test_a_notice_names_priority_reason_and_page(lang: str, priority: Priority, text: str) -> None:
    words = notice(wish("strong anger", priority), lang, "https://desk.example/console")
    assert words.text == f"{text}https://desk.example/console/escalation?id=17"
    assert notice(wish("strong anger", priority), lang, "").text == f"{text}#17"


@pytest.mark.parametrize(
    "reason",
    [
        "order_status: phone=+4930123456",
        'threat: the customer said "sue you"',
        "strong anger; form: Anna, Elm St 3",
        "",
    ],
)
def test_a_notice_holds_nothing_of_the_customer(reason: str) -> None:
    text = notice(wish(reason), "en", "").text
    for private in ("Anna", "1001", "furious", "4930", "sue", "Elm"):
        assert private not in text
