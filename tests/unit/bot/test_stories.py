from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from bot.domain.conversation import Conversation, FormState
from bot.domain.log_ports import ConversationLog
from bot.domain.messages import IncomingMessage
from bot.errors import InputError
from bot.stories import Story, play, read_stories

NOW = datetime(2026, 5, 1, tzinfo=UTC)


class Clock:
    def now(self) -> datetime:
        return NOW


class Log:
    """Stores messages; the conversation is always filling in an order form."""

    def __init__(self) -> None:
        self.stored: list[IncomingMessage] = []

    def accept(self, message: IncomingMessage) -> bool:
        self.stored.append(message)
        return True

    def snapshot(self, conversation: str) -> tuple[Conversation, datetime]:
        return Conversation(conversation, form=FormState("order", asking="order_number")), NOW


def answer(message: IncomingMessage) -> dict[str, Any]:
    buttons = [{"label": "Yes", "value": "yes:"}]
    return {
        "replies": [{"text": f"You said {message.text}.", "lang": "en", "buttons": buttons}],
        "decision": {"kind": "form", "intent": "order_status", "template": "ask_order_number", "faq": ""},
    }


def story(tmp_path: Path, steps: str) -> Story:
    (tmp_path / "a.yaml").write_text(f"stories:\n  - story: A\n    lang: en\n    steps:\n{steps}", "utf-8")
    return read_stories([tmp_path / "a.yaml"])[0]


def mismatches(tmp_path: Path, steps: str, log: Log | None = None) -> list[tuple[str, str, str]]:
    played = play(story(tmp_path, steps), "story:1", answer, cast("ConversationLog", log or Log()), Clock())
    return [(each.place, each.wanted, each.got) for each in played]


GOES = {
    "kind": "      - {user: hi, bot: form}\n",
    "intent": "      - {user: hi, bot: order_status}\n",
    "template": "      - {user: hi, bot: ask_order_number}\n",
    "everything": "      - {user: hi, bot: {kind: form, form: order, asks: order_number, lang: en, status: bot}}\n",
    "no emotion": '      - {user: hi, bot: {emotion: ""}}\n',
    "words": '      - {user: hi, bot: {says: ["You", "hi"], never_says: no, buttons: "Yes"}}\n',
    "nothing expected": "      - user: hi\n",
    "a tap": '      - user: hi\n      - {tap: "Yes", bot: {says: "yes:"}}\n',
}


@pytest.mark.parametrize("steps", GOES.values(), ids=GOES)
def test_what_goes_as_expected(tmp_path: Path, steps: str) -> None:
    assert mismatches(tmp_path, steps) == []


STRAYS = {
    "a word": ("      - {user: hi, bot: faq}\n", "faq", "form / order_status / ask_order_number"),
    "a value": ("      - {user: hi, bot: {asks: confirm}}\n", "asks=confirm", "asks=order_number"),
    "nothing expected": ('      - {user: hi, bot: {form: ""}}\n', "form=", "form=order"),
    "words": ('      - {user: hi, bot: {says: "Bye"}}\n', "says 'Bye'", "You said hi."),
    "words too many": ('      - {user: hi, bot: {never_says: "hi"}}\n', "never says 'hi'", "You said hi."),
    "a button": ('      - {user: hi, bot: {buttons: "No"}}\n', "a button 'No'", "buttons ['Yes']"),
    "a tap": ('      - user: hi\n      - tap: "No"\n', "a button 'No'", "buttons ['Yes']"),
}


@pytest.mark.parametrize(("steps", "wanted", "got"), STRAYS.values(), ids=STRAYS)
def test_what_goes_otherwise(tmp_path: Path, steps: str, wanted: str, got: str) -> None:
    ((_, found_wanted, found_got),) = mismatches(tmp_path, steps)
    assert (found_wanted, found_got) == (wanted, got)


def test_the_place_is_the_steps_line(tmp_path: Path) -> None:
    steps = "      - user: hi\n\n      - user: hi\n        bot: faq\n"
    assert mismatches(tmp_path, steps)[0][0] == "a.yaml:7"


def test_a_tap_sends_the_buttons_value(tmp_path: Path) -> None:
    log = Log()
    mismatches(tmp_path, '      - user: hi\n      - tap: "Yes"\n', log)
    assert [(message.kind.value, message.text, message.lang) for message in log.stored] == [
        ("text", "hi", "en"),
        ("button", "yes:", "en"),
    ]


MISTAKES = {
    "no steps": ("stories:\n  - story: A\n", 'a.yaml:2: stories.1: the key "steps" is missing'),
    "empty steps": ("stories:\n  - {story: A, steps: []}\n", "needs at least one step"),
    "both": ("stories:\n  - {story: A, steps: [{user: x, tap: y}]}\n", "either user"),
    "neither": ("stories:\n  - {story: A, steps: [{bot: faq}]}\n", "either user"),
    "unknown": ("stories:\n  - {story: A, steps: [{user: x, bot: {intnet: y}}]}\n", 'did you mean "intent"?'),
    "a list for a value": ("stories:\n  - {story: A, steps: [{user: x, bot: {intent: [y]}}]}\n", "expected a text"),
    "no YAML": ("stories: [", "not valid YAML"),
    "no mapping": ("- a\n", "expected a mapping"),
}


@pytest.mark.parametrize(("text", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.yaml").write_text(text, "utf-8")
    with pytest.raises(InputError) as caught:
        read_stories([tmp_path / "a.yaml"])
    assert message in str(caught.value)
