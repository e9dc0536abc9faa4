"""Quick replies as Telegram's inline buttons."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import structlog
from telegram import InlineKeyboardButton, InlineKeyboardMarkup

from bot.domain.messages import Button

LONGEST_VALUE = 64
"""The longest `callback_data` Telegram takes, in bytes of UTF-8."""

SHORT_LABEL = 16
"""The widest label of which two fit in a row, in columns."""

THUMBS = {"+": "👍", "-": "👎"}
"""The signs of a verdict and how they look."""

_log = structlog.get_logger(__name__)


def keyboard(buttons: Sequence[Button], turn: int | None = None) -> InlineKeyboardMarkup | None:
    """Lays buttons out in order, two short ones side by side.

    Args:
        buttons: what to offer; a button Telegram would refuse (no label, no value, a value over 64 bytes) is left
            out and logged, so that its message still arrives.
        turn: the turn whose answer the customer may judge; None for no thumbs.

    Returns:
        The keyboard, or None without buttons.
    """
    rows: list[list[Button]] = []
    for button in buttons:
        if not _fits(button):
            _log.warning("telegram_button_left_out", label=button.label, value=button.value, limit=LONGEST_VALUE)
        elif rows and len(rows[-1]) == 1 and _is_short(rows[-1][0]) and _is_short(button):
            rows[-1].append(button)
        else:
            rows.append([button])
    shown = [[InlineKeyboardButton(button.label, callback_data=button.value) for button in row] for row in rows]
    if turn is not None:
        shown.append(
            [InlineKeyboardButton(thumb, callback_data=f"verdict:{turn}:{sign}") for sign, thumb in THUMBS.items()]
        )
    return InlineKeyboardMarkup(shown) if shown else None


def judged(markup: InlineKeyboardMarkup | None, given: str) -> InlineKeyboardMarkup | None:
    """The same keyboard with a verdict marked.

    Args:
        markup: the keyboard under the answer.
        given: the `callback_data` of the tapped thumb.

    Returns:
        The keyboard to show instead; None where nothing changes.
    """
    if markup is None:
        return None
    rows = [[_marked(button, given) for button in row] for row in markup.inline_keyboard]
    changed = InlineKeyboardMarkup(rows)
    return None if changed == markup else changed


def _marked(button: InlineKeyboardButton, given: str) -> InlineKeyboardButton:
    data = str(button.callback_data)
    if not data.startswith("verdict:"):
        return button
    thumb = THUMBS.get(data[-1], button.text)
    return InlineKeyboardButton(f"{thumb} ✓" if data == given else thumb, callback_data=data)


def _fits(button: Button) -> bool:
    return bool(button.label.strip()) and 1 <= len(button.value.encode()) <= LONGEST_VALUE


def _is_short(button: Button) -> bool:
    columns = sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in button.label)
    return columns <= SHORT_LABEL
