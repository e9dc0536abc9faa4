from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from bot.channels.telegram_keyboard import keyboard
from bot.domain.messages import Button


def rows(*labels: str) -> list[list[str]]:
    markup = keyboard([Button(label, f"say:{index}") for index, label in enumerate(labels)])
    assert markup is not None
    return [[button.text for button in row] for row in markup.inline_keyboard]


@pytest.mark.parametrize(
    ("labels", "laid_out"),
    [
        (("Yes", "No"), [["Yes", "No"]]),
        (("Yes", "No", "Later"), [["Yes", "No"], ["Later"]]),
        (("Where is my order?", "Refund"), [["Where is my order?"], ["Refund"]]),
        (("Refund", "Where is my order?", "No"), [["Refund"], ["Where is my order?"], ["No"]]),
        (("我的订单在哪里", "人工"), [["我的订单在哪里", "人工"]]),
        (("我的订单现在在哪里呢", "人工"), [["我的订单现在在哪里呢"], ["人工"]]),
    ],
)
def test_two_short_labels_share_a_row(labels: tuple[str, ...], laid_out: list[list[str]]) -> None:
    assert rows(*labels) == laid_out


def test_no_buttons_no_keyboard() -> None:
    assert keyboard(()) is None


@pytest.mark.parametrize(
    "button",
    [Button("Long", "x" * 65), Button("长", "字" * 22), Button("Bare", ""), Button(" ", "yes:")],
    ids=["too-long", "too-long-in-bytes", "no-value", "no-label"],
)
def test_a_button_telegram_refuses_is_left_out_and_logged(button: Button) -> None:
    with capture_logs() as logged:
        markup = keyboard([button, Button("Yes", "字" * 21)])
    assert markup is not None
    assert [[b.callback_data for b in row] for row in markup.inline_keyboard] == [["字" * 21]]
    assert [(line["event"], line["label"]) for line in logged] == [("telegram_button_left_out", button.label)]
