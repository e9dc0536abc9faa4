"""The Telegram channel over the double: the real library, real HTTP, and everything that goes wrong on the way."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from bot import bootstrap
from bot.channels.telegram_sender import MOST_TRIES
from bot.domain.messages import Button, ContentKind, IncomingMessage
from bot.errors import LogUnavailableError, SettingsError
from tests.e2e.telegram_channel import (
    ANN,
    BOB,
    FAST,
    OUTAGE,
    MemoryIntake,
    MemoryOutbox,
    Running,
    build,
    running,
    wait_until,
)
from tests.e2e.telegram_double.double import TelegramDouble


def texts(double: TelegramDouble, chat: int) -> list[str]:
    return [message.text for message in double.messages(chat)]


# -- the ordinary way


def test_journey_of_a_customer(double: TelegramDouble, outbox: MemoryOutbox, intake: MemoryIntake) -> None:
    verbatim = "<b>5 < 6</b> *stars* _x_ [a](b) `c` 100% & more. 你好！"
    intake.answer_of = lambda message: None if message.kind is ContentKind.TEXT else f"got {message.kind.value}"
    with running(double, intake):
        said = double.user_says(ANN, "hello", lang="zh-hans", name="Ann Lee")
        double.wait_until(lambda: bool(double.calls("sendChatAction")))
        outbox.waiting.clear()
        outbox.add(ANN, verbatim)
        reply = double.wait_for(ANN)[0]
        assert (reply.text, reply.parse_mode) == (verbatim, "")
        assert double.calls("sendChatAction")[0].at < reply.at

        outbox.add(ANN, "Sure?", Button("Yes", "yes:"), Button("No", "no:"))
        double.wait_for(ANN, 2)
        double.user_taps(ANN, "Yes")
        double.wait_for(ANN, lambda message: message.text == "got button")
        double.wait_until(lambda: double.answered_queries == ["q1"])

        double.user_edits(said, "hello again")
        double.user_sends(ANN, "photo", caption="broken")
        double.wait_for(ANN, 5)
    assert [(message.kind, message.text) for message in intake.stored.values()] == [
        (ContentKind.TEXT, "hello"),
        (ContentKind.BUTTON, "yes:"),
        (ContentKind.EDITED, "hello again"),
        (ContentKind.PHOTO, "broken"),
    ]
    first, _, edited, _ = intake.stored.values()
    assert first.id.startswith(f"u{said['update_id']}/")
    assert edited.number == first.number
    assert (first.conversation, first.lang, first.customer) == (f"telegram:{ANN}", "zh", "Ann Lee")
    assert texts(double, ANN)[3:] == ["got edited", "got photo"]


def test_long_reply_comes_in_parts_with_buttons_on_the_last(
    double: TelegramDouble, outbox: MemoryOutbox, intake: MemoryIntake
) -> None:
    double.user_says(ANN, "tell me all")
    with running(double, intake):
        sent = outbox.add(
            ANN, "\n\n".join(f"Paragraph {n}. " + "字" * 900 for n in range(9)), Button("More", "say:more")
        )
        outbox.wait_for(sent, "sent")
    parts = double.messages(ANN)
    assert [part.buttons for part in parts] == [[], [], ["More"]]
    assert [part.text[:12] for part in parts] == ["Paragraph 0.", "Paragraph 4.", "Paragraph 8."]


def test_commands_are_offered_in_both_languages(double: TelegramDouble, intake: MemoryIntake) -> None:
    with running(double, intake):
        double.wait_until(lambda: set(double.state.commands) == {"", "en", "zh"})
    menu = {lang: [command["description"] for command in commands] for lang, commands in double.state.commands.items()}
    assert menu["zh"][2] == "转人工客服"
    assert menu[""] == menu["en"]
    assert [command["command"] for command in double.state.commands["zh"]] == ["start", "help", "human"]


def test_menu_that_fails_harms_nothing(double: TelegramDouble, intake: MemoryIntake) -> None:
    double.fail_next("setMyCommands", "500", times=3)
    with capture_logs() as logged, running(double, intake):
        double.user_says(ANN, "hi")
        wait_until(lambda: intake.texts == ["hi"])
        wait_until(lambda: any(line["event"] == "telegram_menu_not_set" for line in logged))


def test_talk_of_others_in_groups_and_channels_is_ignored(double: TelegramDouble, intake: MemoryIntake) -> None:
    group = {"message_id": 1, "date": 0, "chat": {"id": -5, "type": "group", "title": "G"}, "text": "in a group"}
    double.push("message", group)
    double.push("channel_post", {**group, "chat": {"id": -6, "type": "channel", "title": "C"}})
    double.user_says(ANN, "in private")
    with running(double, intake):
        double.wait_until(lambda: not double.pending_updates)
    assert intake.texts == ["in private"]


def test_notify_wakes_the_sender(double: TelegramDouble, outbox: MemoryOutbox, intake: MemoryIntake) -> None:
    double.user_says(ANN, "hi")
    with running(double, intake, timing=replace(FAST, outbox=60.0)) as run:
        wait_until(lambda: intake.texts == ["hi"])
        time.sleep(0.2)
        outbox.add(ANN, "at once")
        run.channel.notify("web")
        time.sleep(0.2)
        assert not double.messages(ANN)
        run.channel.notify()
        double.wait_for(ANN, timeout=5)


def test_start_and_stop_in_the_background(double: TelegramDouble, intake: MemoryIntake) -> None:
    double.user_says(ANN, "hi")

    async def serve() -> None:
        channel = build(double, intake)
        for _ in range(2):
            await channel.start()
            await asyncio.to_thread(double.wait_until, lambda: not double.pending_updates)
            await channel.stop()

    asyncio.run(serve())
    assert intake.texts == ["hi"]


def test_an_update_that_cannot_be_read_holds_up_none_behind_it(double: TelegramDouble, intake: MemoryIntake) -> None:
    double.user_says(ANN, "before")
    double.push("message", {"message_id": 1, "chat": {"id": ANN, "type": "private"}, "text": "without a date"})
    double.user_says(ANN, "after")
    with capture_logs() as logged, running(double, intake):
        double.wait_until(lambda: not double.pending_updates)
    assert intake.texts == ["before", "after"]
    assert [line["event"] for line in logged].count("telegram_update_refused") == 1


# -- storing before acknowledging


def test_update_stays_with_telegram_until_it_is_stored(double: TelegramDouble, intake: MemoryIntake) -> None:
    stored = threading.Event()
    intake.before = lambda _: cast("None", stored.wait(10))
    double.user_says(ANN, "keep me")
    with running(double, intake):
        wait_until(lambda: len(intake.offers) == 1)
        time.sleep(0.3)
        assert len(double.pending_updates) == 1
        stored.set()
        double.wait_until(lambda: not double.pending_updates)
    assert intake.texts == ["keep me"]


def test_restart_between_storing_and_acknowledging_answers_once(double: TelegramDouble, intake: MemoryIntake) -> None:
    intake.answer_of = lambda message: f"answer to {message.text}"
    double.user_says(ANN, "once")
    first = Running(build(double, intake))
    intake.before = lambda _: first.ask_to_stop()
    first.start()
    first.join()
    assert intake.texts == ["once"]
    assert len(double.pending_updates) == 1

    intake.before = lambda _: None
    with running(double, intake):
        double.wait_until(lambda: not double.pending_updates)
        double.user_says(ANN, "twice")
        double.wait_for(ANN, lambda message: message.text == "answer to twice")
    assert len(intake.offers) == 3
    assert texts(double, ANN) == ["answer to once", "answer to twice"]


def test_outage_of_the_log_is_told_once_and_survived(double: TelegramDouble, intake: MemoryIntake) -> None:
    intake.away = True
    with running(double, intake):
        double.user_says(ANN, "first", lang="zh")
        double.user_says(BOB, "second", lang="de")
        double.user_says(ANN, "third", lang="zh")
        wait_until(lambda: len(intake.offers) >= 4)
        assert len(double.pending_updates) == 3
        assert texts(double, ANN) == [f"{OUTAGE['zh']}\n\n{OUTAGE['en']}"]
        assert texts(double, BOB) == [f"{OUTAGE['en']}\n\n{OUTAGE['zh']}"]
        intake.away = False
        double.wait_until(lambda: not double.pending_updates)
        assert intake.texts == ["first", "second", "third"]

        intake.away = True
        double.user_says(ANN, "fourth", lang="zh")
        double.wait_for(ANN, 2)
        intake.away = False
        wait_until(lambda: len(intake.texts) == 4)
    assert (len(double.messages(ANN)), len(double.messages(BOB))) == (2, 1)


def test_message_that_intake_cannot_digest_holds_others_up_for_three_tries(
    double: TelegramDouble, intake: MemoryIntake
) -> None:
    def choke(message: IncomingMessage) -> None:
        if message.text == "poison":
            raise ValueError("cannot digest this")

    intake.before = choke
    double.user_says(ANN, "poison")
    double.user_says(BOB, "food")
    with capture_logs() as logged, running(double, intake):
        wait_until(lambda: intake.texts == ["food"])
    failures = [line["given_up"] for line in logged if line["event"] == "telegram_update_failed"]
    assert failures == [False, False, True]


# -- delivery when Telegram does not play along


def test_flood_control_of_one_chat_leaves_others_alone(
    double: TelegramDouble, outbox: MemoryOutbox, intake: MemoryIntake
) -> None:
    for chat in (ANN, BOB):
        double.user_says(chat, "hi")
    double.fail_next("sendMessage", "429", retry_after=1, chat_id=ANN)
    with running(double, intake):
        started = time.monotonic()
        for number in range(3):
            outbox.add(ANN, f"to Ann {number}")
            outbox.add(BOB, f"to Bob {number}")
        double.wait_for(BOB, 3)
        assert double.messages(ANN) == []
        first = double.wait_for(ANN, 3)[0]
    assert first.at - started >= 1.0
    assert all(message.at < first.at for message in double.messages(BOB))
    assert texts(double, ANN) == ["to Ann 0", "to Ann 1", "to Ann 2"]
    assert texts(double, BOB) == ["to Bob 0", "to Bob 1", "to Bob 2"]


def test_hanging_request_of_one_chat_leaves_others_alone(
    double: TelegramDouble, outbox: MemoryOutbox, intake: MemoryIntake
) -> None:
    for chat in (ANN, BOB):
        double.user_says(chat, "hi")
    double.fail_next("sendMessage", "hang", chat_id=ANN)
    with running(double, intake, timing=replace(FAST, request=1.0)):
        outbox.add(ANN, "to Ann")
        outbox.add(BOB, "to Bob")
        bobs = double.wait_for(BOB)[0]
        anns = double.wait_for(ANN)[0]
    assert anns.at - bobs.at > 0.5
    assert [call.fault for call in double.calls("sendMessage") if call.parameters["chat_id"] == str(ANN)] == [
        "hang",
        "",
    ]


@pytest.mark.parametrize("kind", ["500", "502", "drop_before"])
def test_failures_without_effect_are_tried_again_with_growing_delay(
    double: TelegramDouble, outbox: MemoryOutbox, intake: MemoryIntake, kind: Any
) -> None:
    double.user_says(ANN, "hi")
    double.fail_next("sendMessage", kind, times=3)
    with running(double, intake):
        row = outbox.wait_for(outbox.add(ANN, "in the end"), "sent")
    assert texts(double, ANN) == ["in the end"]
    assert row.attempts == 4
    times = [call.at for call in double.calls("sendMessage")]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps[0] >= 0.1
    assert gaps[1] >= 0.2
    assert gaps[2] >= 0.4


def test_connection_lost_after_delivery_means_at_least_once(
    double: TelegramDouble, outbox: MemoryOutbox, intake: MemoryIntake
) -> None:
    double.user_says(ANN, "hi")
    double.fail_next("sendMessage", "drop_after")
    with running(double, intake):
        outbox.wait_for(outbox.add(ANN, "perhaps twice"), "sent")
    assert texts(double, ANN) == ["perhaps twice", "perhaps twice"]


def test_parts_that_arrived_are_not_repeated(
    double: TelegramDouble, outbox: MemoryOutbox, intake: MemoryIntake
) -> None:
    double.user_says(ANN, "hi")
    with running(double, intake):
        wait_until(lambda: intake.texts == ["hi"])
        sent = outbox.add(ANN, "a" * 4096 + "\n\n" + "b" * 4096 + "\n\nc")
        double.wait_for(ANN, lambda message: message.text[0] == "a")
        double.fail_next("sendMessage", "429", retry_after=1, times=2)
        outbox.wait_for(sent, "sent")
    assert [text[0] for text in texts(double, ANN)] == ["a", "b", "c"]


def test_delivery_that_cannot_be_noted_is_not_repeated(
    double: TelegramDouble, outbox: MemoryOutbox, intake: MemoryIntake
) -> None:
    double.user_says(ANN, "hi")
    intake.answer_of = lambda _: "only once"
    noted = threading.Event()
    mark = outbox.mark_sent

    def fail_first(delivered: Mapping[int, str | None]) -> None:
        if not noted.is_set():
            noted.set()
            raise LogUnavailableError("SQL does not answer")
        mark(delivered)

    outbox.mark_sent = fail_first  # type: ignore[method-assign]
    with running(double, intake, timing=replace(FAST, lease=60.0)):
        wait_until(noted.is_set)
        outbox.wait_for(1, "sent")
    assert texts(double, ANN) == ["only once"]
    assert outbox.rows[1].error == str(double.messages(ANN)[0].message_id)


def test_outbox_that_is_away_comes_back(double: TelegramDouble, outbox: MemoryOutbox, intake: MemoryIntake) -> None:
    double.user_says(ANN, "hi")
    outbox.away = True
    with capture_logs() as logged, running(double, intake):
        outbox.add(ANN, "late")
        wait_until(lambda: any(line["event"] == "telegram_outbox_away" for line in logged))
        outbox.away = False
        double.wait_for(ANN)
    assert texts(double, ANN) == ["late"]


def test_the_return_of_the_store_is_not_awaited_as_long_as_telegrams(
    double: TelegramDouble, outbox: MemoryOutbox, intake: MemoryIntake
) -> None:
    outbox.away = intake.away = True
    timing = replace(FAST, first_retry=30.0, longest_outage=60.0, longest_store_outage=0.2)
    with running(double, intake, timing=timing):
        double.user_says(ANN, "hi")
        outbox.add(ANN, "late")
        double.wait_for(ANN)
        outbox.away = intake.away = False
        double.wait_for(ANN, 2)
        wait_until(lambda: not double.pending_updates)
    assert [message.text for message in intake.stored.values()] == ["hi"]


def test_blocked_and_unknown_chats_are_given_up_for_good(
    double: TelegramDouble, outbox: MemoryOutbox, intake: MemoryIntake
) -> None:
    for chat in (ANN, BOB):
        double.user_says(chat, "hi")
    double.block(ANN)
    with running(double, intake):
        blocked, unknown = outbox.add(ANN, "x"), outbox.add(999, "x")
        nowhere, blank, fine = outbox.add("abc", "x"), outbox.add(BOB, " \n"), outbox.add(BOB, "x")
        outbox.wait_for(fine, "sent")
        reasons = {row: outbox.wait_for(row, "failed").error for row in (blocked, unknown, nowhere, blank)}
    assert "bot was blocked by the user" in reasons[blocked]
    assert "Chat not found" in reasons[unknown]
    assert "names no Telegram chat" in reasons[nowhere]
    assert "nothing to see" in reasons[blank]
    assert texts(double, BOB) == ["x"]


def test_a_message_that_telegram_keeps_refusing_does_not_hold_up_its_chat(
    double: TelegramDouble, outbox: MemoryOutbox, intake: MemoryIntake
) -> None:
    double.user_says(ANN, "hi")
    double.fail_next("sendMessage", "406", MOST_TRIES)
    with running(double, intake, timing=replace(FAST, first_retry=0.01, longest_retry=0.02)):
        poison, fine = outbox.add(ANN, "poison"), outbox.add(ANN, "fine")
        outbox.wait_for(fine, "sent")
    assert (outbox.rows[poison].status, outbox.rows[poison].attempts) == ("failed", MOST_TRIES)
    assert "Not Acceptable" in outbox.rows[poison].error
    assert texts(double, ANN) == ["fine"]


def test_a_message_that_breaks_the_sender_does_not_hold_up_its_chat(
    double: TelegramDouble, outbox: MemoryOutbox, intake: MemoryIntake
) -> None:
    double.user_says(ANN, "hi")
    broken: Any = object()
    with running(double, intake, timing=replace(FAST, first_retry=0.01, longest_retry=0.02)):
        poison, fine = outbox.add(ANN, "poison", broken), outbox.add(ANN, "fine")
        outbox.wait_for(fine, "sent")
    assert (outbox.rows[poison].status, outbox.rows[poison].attempts) == ("failed", MOST_TRIES)
    assert texts(double, ANN) == ["fine"]


# -- connecting


def test_wrong_token_is_explained(double: TelegramDouble, intake: MemoryIntake) -> None:
    channel = build(double, intake, token="1234:never-issued")
    with pytest.raises(SettingsError, match=r"FRONTDESK_TELEGRAM_TOKEN.*@BotFather") as caught:
        asyncio.run(channel.start())
    assert "never-issued" not in str(caught.value)
    with (
        pytest.raises(SettingsError, match="FRONTDESK_TELEGRAM_TOKEN"),
        running(double, intake, token="1234:wrong") as run,
    ):
        run.join()


def test_token_revoked_while_running_ends_the_channel(double: TelegramDouble, intake: MemoryIntake) -> None:
    run = Running(build(double, intake))
    run.start()
    double.wait_until(lambda: bool(double.calls("getUpdates")))
    double.state.token = "4200001:another"
    run.join()
    assert isinstance(run.error, SettingsError)
    assert "FRONTDESK_TELEGRAM_TOKEN" in str(run.error)


def test_token_refused_for_a_moment_ends_nothing_for_good(
    double: TelegramDouble, intake: MemoryIntake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "FIRST_RESTART", 0.1)
    issued = double.state.token

    async def serve() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(bootstrap._run_telegram(build(double, intake), stop))
        await asyncio.to_thread(double.wait_until, lambda: bool(double.calls("getUpdates")))
        double.state.token = "4200001:another"
        await asyncio.to_thread(wait_until, lambda: any(line["event"] == "telegram_stopped" for line in logged))
        double.state.token = issued
        double.user_says(ANN, "back again")
        await asyncio.to_thread(wait_until, lambda: intake.texts == ["back again"])
        stop.set()
        await running

    with capture_logs() as logged:
        asyncio.run(serve())
    assert "FRONTDESK_TELEGRAM_TOKEN" in next(line["error"] for line in logged if line["event"] == "telegram_stopped")


@pytest.mark.parametrize("kind", ["502", "429", "drop_before"])
def test_telegram_away_at_start_and_later(double: TelegramDouble, intake: MemoryIntake, kind: Any) -> None:
    double.fail_next("getMe", kind)
    double.fail_next("getUpdates", kind)
    double.user_says(ANN, "patience")
    with running(double, intake):
        wait_until(lambda: intake.texts == ["patience"])
    assert [call.fault for call in double.calls("getMe")] == [kind, ""]


def test_second_process_on_the_same_token_is_explained(double: TelegramDouble, intake: MemoryIntake) -> None:
    with capture_logs() as logged, running(double, intake), running(double, MemoryIntake(MemoryOutbox())):
        wait_until(lambda: any("two processes poll" in str(line.get("error")) for line in logged))


def test_polling_takes_an_old_webhook_down_and_keeps_its_updates(double: TelegramDouble, intake: MemoryIntake) -> None:
    double.state.webhook.url = "http://127.0.0.1:9/gone"
    double.user_says(ANN, "waited")
    with running(double, intake):
        wait_until(lambda: intake.texts == ["waited"])
    assert double.state.webhook.url == ""


@contextmanager
def webhook_route() -> Iterator[tuple[str, list[Running], list[int]]]:
    """A small web server that hands posts to the first of the running channels, and notes the statuses."""
    channels: list[Running] = []
    statuses: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            secret = self.headers.get("X-Telegram-Bot-Api-Secret-Token")
            work = channels[0].channel.handle_webhook(body, secret)
            status = asyncio.run_coroutine_threadsafe(work, channels[0].loop).result(10)
            statuses.append(int(status))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/telegram/webhook", channels, statuses
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_webhook_stores_or_asks_to_send_again(double: TelegramDouble, intake: MemoryIntake) -> None:
    intake.answer_of = lambda message: f"answer to {message.text}"
    intake.away = True
    with webhook_route() as (url, channels, statuses):
        changes = {"mode": "webhook", "webhook_url": url, "webhook_secret": "s3cret"}
        with running(double, intake, **changes) as run:
            channels.append(run)
            double.user_says(ANN, "by webhook")
            wait_until(lambda: len(statuses) >= 2)
            intake.away = False
            double.wait_for(ANN, lambda message: message.text == "answer to by webhook")
            double.wait_until(lambda: not double.pending_updates)
    assert set(statuses[:-1]) == {503}
    assert statuses[-1] == 200
    assert texts(double, ANN) == [f"{OUTAGE['en']}\n\n{OUTAGE['zh']}", "answer to by webhook"]
    assert double.state.webhook.secret == "s3cret"
    assert double.state.allowed_updates == ["message", "edited_message", "callback_query"]
    assert double.calls("getUpdates") == []


def test_refused_webhook_address_is_explained(double: TelegramDouble, intake: MemoryIntake) -> None:
    channel = build(double, intake, mode="webhook", webhook_url="http://shop.example/", webhook_secret="s")
    with pytest.raises(SettingsError, match=r"FRONTDESK_TELEGRAM_WEBHOOK_URL.*https url"):
        asyncio.run(channel.start())
