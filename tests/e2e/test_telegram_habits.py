"""What Telegram's users expect, over the double: thumbs, groups, files, profile and pace."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from bot.channels import telegram_sender
from bot.domain.conversation import Conversation, Status
from bot.domain.messages import Button
from tests.e2e.telegram_channel import ANN, BOB, FAST, MemoryIntake, MemoryOutbox, running, wait_until
from tests.e2e.telegram_double.double import TelegramDouble

GROUP = -77


def test_a_thumb_is_stored_and_marked_in_place(
    double: TelegramDouble, outbox: MemoryOutbox, intake: MemoryIntake
) -> None:
    double.user_says(ANN, "hi")
    with running(double, intake):
        outbox.add(ANN, "It takes two days.", Button("What does it cost?", "intent:delivery_cost"), turn=5, judged=True)
        double.wait_for(ANN)
        assert double.messages(ANN)[0].buttons == ["What does it cost?", "👍", "👎"]
        double.user_taps(ANN, "👎")
        double.wait_for(ANN, lambda message: "👎 ✓" in message.buttons)
        double.user_taps(ANN, "👍")
        double.wait_for(ANN, lambda message: message.buttons == ["What does it cost?", "👍 ✓", "👎"])
        double.user_taps(ANN, "👍 ✓")
        double.wait_until(lambda: len(double.answered_queries) == 3)
    assert outbox.verdicts == {5: 1}
    assert intake.texts == ["hi"]


def test_a_thumb_from_another_chat_counts_nothing(
    double: TelegramDouble, outbox: MemoryOutbox, intake: MemoryIntake
) -> None:
    for chat in (ANN, BOB):
        double.user_says(chat, "hi")
    with running(double, intake):
        outbox.add(ANN, "It takes two days.", turn=5, judged=True)
        double.wait_for(ANN)
        query = {"id": "q9", "from": {"id": BOB, "is_bot": False, "first_name": "Bob"}, "chat_instance": "i"}
        shown = {"message_id": 1, "date": 1, "chat": {"id": BOB, "type": "private", "first_name": "Bob"}}
        double.push("callback_query", {**query, "message": shown, "data": "verdict:5:-"})
        double.push("callback_query", {**query, "id": "q10", "message": shown, "data": "verdict:404:+"})
        double.wait_until(lambda: not double.pending_updates)
    assert outbox.verdicts == {}


def test_a_thumb_waits_until_it_can_be_stored(
    double: TelegramDouble, outbox: MemoryOutbox, intake: MemoryIntake
) -> None:
    double.user_says(ANN, "hi")
    with running(double, intake):
        outbox.wait_for(outbox.add(ANN, "It takes two days.", turn=5, judged=True), "sent")
        outbox.away = True
        double.user_taps(ANN, "👍")
        time.sleep(0.5)
        assert len(double.pending_updates) == 1
        outbox.away = False
        wait_until(lambda: outbox.verdicts == {5: 1})


def in_group(text: str, **more: Any) -> dict[str, Any]:
    chat = {"id": GROUP, "type": "supergroup", "title": "Friends"}
    author = {"id": ANN, "is_bot": False, "first_name": "Ann", "language_code": "en"}
    return {"message_id": 9, "date": 1, "chat": chat, "from": author, "text": text, **more}


def test_in_a_group_it_answers_who_speaks_to_it(double: TelegramDouble, intake: MemoryIntake) -> None:
    name = double.state.bot["username"]
    double.state.chats[GROUP] = {"id": GROUP, "type": "supergroup", "title": "Friends"}
    own = {"message_id": 8, "date": 1, "chat": double.state.chats[GROUP], "from": {**double.state.bot}}
    intake.answer_of = lambda message: f"you said {message.text}"
    with running(double, intake):
        double.push("message", in_group("just us talking"))
        double.push("message", in_group(f"@{name} where is my parcel?"))
        double.push("message", in_group(f"mail me at x@{name}y.example"))
        double.push("message", in_group("and the costs?", reply_to_message=own))
        double.push("message", in_group(f"/help@{name.upper()}"))
        double.push("message", in_group("/human"))
        double.wait_for(GROUP, 4)
    assert intake.texts == ["where is my parcel?", "and the costs?", "/help", "/human"]
    assert {message.conversation for message in intake.stored.values()} == {f"telegram:{GROUP}"}


LONG = "A sentence of many. " * 300


@pytest.mark.parametrize(
    ("chat", "turn", "answered", "quoted"),
    [
        pytest.param(GROUP, 5, "u7/9", 9, id="a question in a group"),
        pytest.param(GROUP, 5, "u7", None, id="a button in a group"),
        pytest.param(GROUP, None, "u7/9", None, id="an agent in a group"),
        pytest.param(ANN, 5, "u7/9", None, id="a private chat"),
    ],
)
def test_in_a_group_an_answer_quotes_what_it_answers(
    chat: int,
    turn: int | None,
    answered: str,
    quoted: int | None,
    double: TelegramDouble,
    outbox: MemoryOutbox,
    intake: MemoryIntake,
) -> None:
    double.state.chats[GROUP] = {"id": GROUP, "type": "supergroup", "title": "Friends"}
    double.user_says(ANN, "hi")
    outbox.answered = answered
    with running(double, intake):
        outbox.wait_for(outbox.add(chat, LONG, turn=turn), "sent")
    parts = double.messages(chat)
    assert len(parts) == 2
    assert {part.quotes for part in parts} == {quoted}


def test_what_agents_say_in_their_chat_is_nobodys_wish(double: TelegramDouble, intake: MemoryIntake) -> None:
    name = double.state.bot["username"]
    with running(double, intake, agents_chat=GROUP):
        double.push("message", in_group(f"@{name} who takes this one?"))
        double.user_says(ANN, "where is my parcel?")
        wait_until(lambda: bool(intake.texts))
    assert intake.texts == ["where is my parcel?"]


def test_no_agent_is_told_of_an_outage_in_their_chat(double: TelegramDouble, intake: MemoryIntake) -> None:
    name = double.state.bot["username"]
    intake.away = True
    with running(double, intake, agents_chat=GROUP):
        double.push("message", in_group(f"@{name} is it down?"))
        double.user_says(ANN, "where is my parcel?")
        double.wait_for(ANN, 1)
        intake.away = False
        wait_until(lambda: bool(intake.texts))
    assert double.messages(GROUP) == []


def test_a_customers_data_come_as_a_file(double: TelegramDouble, outbox: MemoryOutbox, intake: MemoryIntake) -> None:
    double.user_says(ANN, "/export")
    with running(double, intake):
        outbox.wait_for(outbox.add(ANN, "Here it is.", attachment="export"), "sent")
    text, file = double.messages(ANN)
    assert (text.text, file.method) == ("Here it is.", "sendDocument")
    stored = double.state.files[file.file_id]
    assert stored.path.endswith("/my-data.json")
    assert "你好" in stored.content.decode()
    assert "secret" not in stored.content.decode()


def test_a_file_that_fails_is_sent_again_without_its_text(
    double: TelegramDouble, outbox: MemoryOutbox, intake: MemoryIntake
) -> None:
    double.user_says(ANN, "/export")
    double.fail_next("sendDocument", "500")
    with running(double, intake):
        outbox.wait_for(outbox.add(ANN, "Here it is.", attachment="export"), "sent")
    assert [message.method for message in double.messages(ANN)] == ["sendMessage", "sendDocument"]


@pytest.mark.parametrize(("size", "uploads"), [(50_000_001, 0), (100, 1)], ids=["seen", "told"])
def test_a_file_that_is_too_large_holds_up_no_later_reply(
    double: TelegramDouble,
    outbox: MemoryOutbox,
    intake: MemoryIntake,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    uploads: int,
) -> None:
    monkeypatch.setattr(telegram_sender, "own_data", lambda *_: b"x" * size)
    double.user_says(ANN, "/export")
    double.fail_next("sendDocument", "413")
    with running(double, intake):
        export, later = outbox.add(ANN, "Here it is.", attachment="export"), outbox.add(ANN, "And now?")
        outbox.wait_for(later, "sent")
    assert outbox.rows[export].status == "failed"
    assert len(double.calls("sendDocument")) == uploads


def test_the_profile_names_the_bot_in_both_languages(double: TelegramDouble, intake: MemoryIntake) -> None:
    names = {"en": "Lark & Lane", "zh": "云雀小铺"}
    commands = ("/start", "/help", "/human", "/language", "/export", "/unheard_of")
    with running(double, intake, names=names, commands=commands):
        double.wait_until(lambda: "short_description:zh" in double.state.profile)
    assert double.state.profile["short_description:zh"] == "云雀小铺客服"
    assert "Lark & Lane" in double.state.profile["description:"]
    offered = [command["command"] for command in double.state.commands["zh"]]
    assert offered == ["start", "help", "human", "language", "export"]


def test_messages_keep_the_pace_that_telegram_takes(
    double: TelegramDouble, outbox: MemoryOutbox, intake: MemoryIntake
) -> None:
    for chat in (ANN, BOB):
        double.user_says(chat, "hi")
    with running(double, intake, timing=replace(FAST, between=0.02, between_own=1.0)):
        numbers = [outbox.add(chat, f"number {number}") for number in range(5) for chat in (ANN, BOB)]
        for number in numbers:
            outbox.wait_for(number, "sent")
    for chat in (ANN, BOB):
        times = [message.at for message in double.messages(chat)]
        assert times[2] - times[0] < 1.0
        assert times[4] - times[0] > 1.7


def test_more_than_can_leave_within_a_lease_leaves_at_the_pace(
    double: TelegramDouble, outbox: MemoryOutbox, intake: MemoryIntake
) -> None:
    chats = range(100, 150)
    for chat in chats:
        double.state.chats[chat] = {"id": chat, "type": "private", "first_name": "Ann"}
    rows = [outbox.add(chat, "hi") for chat in chats]
    with running(double, intake, timing=replace(FAST, between=0.06, lease=1.5, longest_retry=0.1)):
        for row in rows:
            outbox.wait_for(row, "sent")


def test_a_fast_answer_needs_no_typing_notice(double: TelegramDouble, intake: MemoryIntake) -> None:
    slow: set[str] = {"slow"}
    intake.answer_of = lambda message: None if message.text in slow else "At once."
    with running(double, intake, timing=replace(FAST, typing_after=0.5)):
        double.user_says(ANN, "fast")
        double.wait_for(ANN)
        double.user_says(BOB, "slow")
        double.wait_until(lambda: bool(double.calls("sendChatAction")))
    assert {call.parameters["chat_id"] for call in double.calls("sendChatAction")} == {str(BOB)}


@pytest.mark.parametrize(
    "state",
    [Conversation(f"telegram:{ANN}", status=Status.AGENT), Conversation(f"telegram:{ANN}", blocked=True)],
    ids=["an agent holds it", "blocked"],
)
def test_nobody_types_where_the_bot_will_not_answer(
    double: TelegramDouble, intake: MemoryIntake, outbox: MemoryOutbox, state: Conversation
) -> None:
    outbox.states[state.id] = state
    with running(double, intake):
        double.user_says(ANN, "Are you there?")
        double.user_says(BOB, "Are you there?")
        double.wait_until(lambda: len(double.calls("sendChatAction")) > 1)
    assert {call.parameters["chat_id"] for call in double.calls("sendChatAction")} == {str(BOB)}


def test_chats_that_wait_for_their_moment_hold_up_no_other(
    double: TelegramDouble, outbox: MemoryOutbox, intake: MemoryIntake
) -> None:
    waiting = range(100, 130)
    for chat in (*waiting, BOB):
        double.state.chats[chat] = {"id": chat, "type": "private", "first_name": "Ann"}
    with running(double, intake, timing=replace(FAST, between_own=5.0, lease=30.0)):
        for number in range(3):
            rows = [outbox.add(chat, f"number {number}") for chat in waiting]
            for row in rows:
                outbox.wait_for(row, "sent")
        for chat in waiting:
            outbox.add(chat, "later")
        time.sleep(0.5)
        outbox.add(BOB, "at once")
        double.wait_for(BOB, timeout=2)
        assert all(len(double.messages(chat)) == 3 for chat in waiting)
