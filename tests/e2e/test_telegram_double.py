"""The Telegram double, held to the Bot API's behaviour through the real library and plain HTTP."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, TypeVar

import httpx
import pytest
import telegram
from telegram.error import BadRequest, Conflict, Forbidden, InvalidToken, NetworkError, RetryAfter, TimedOut
from telegram.request import HTTPXRequest

from bot.adapters.telegram_files import TelegramFiles
from bot.errors import UnavailableError
from tests.e2e.telegram_double.double import TelegramDouble
from tests.e2e.telegram_double.state import Fault

CHAT = 77
T = TypeVar("T")


@pytest.fixture
def double() -> Iterator[TelegramDouble]:
    with TelegramDouble() as server:
        yield server


@pytest.fixture(scope="module")
def shared() -> Iterator[TelegramDouble]:
    """One server for tables of requests that leave nothing behind for each other."""
    with TelegramDouble() as server:
        server.user_says(CHAT, "hi")
        yield server


@pytest.fixture(autouse=True)
def _periods_as_timedelta(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", "1")


def with_bot(double: TelegramDouble, use: Callable[[telegram.Bot], Awaitable[T]], token: str = "") -> T:
    """Runs `use` with the real library's bot, connected to the double."""

    async def run() -> T:
        bot = telegram.Bot(
            token or double.token,
            base_url=double.url + "/bot",
            base_file_url=double.url + "/file/bot",
            request=HTTPXRequest(read_timeout=1),
            get_updates_request=HTTPXRequest(read_timeout=1),
        )
        async with bot:
            return await use(bot)

    return asyncio.run(run())


def call(double: TelegramDouble, method: str, **request: Any) -> tuple[int, Any]:
    """One request over plain HTTP: status and JSON document."""
    answer = httpx.post(
        f"{double.url}/bot{double.token}/{method}", trust_env=False, verify=False, timeout=10, **request
    )
    return answer.status_code, answer.json()


@contextmanager
def webhook_receiver(statuses: list[int]) -> Iterator[tuple[str, list[tuple[str | None, Any]]]]:
    """A server that notes (secret, update) and answers with the given statuses, then 200."""
    seen: list[tuple[str | None, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.headers.get("X-Telegram-Bot-Api-Secret-Token"), json.loads(body)))
            self.send_response(statuses.pop(0) if statuses else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_real_library_polls_sends_edits_and_deletes(double: TelegramDouble) -> None:
    double.user_says(CHAT, "hello", lang="zh", name="Ann Lee")

    async def converse(bot: telegram.Bot) -> None:
        (update,) = await bot.get_updates(timeout=1)
        assert update.message is not None
        assert update.message.from_user is not None
        assert (update.message.text, update.message.from_user.full_name) == ("hello", "Ann Lee")
        assert update.message.from_user.language_code == "zh"
        sent = await bot.send_message(CHAT, "one <b>")
        await bot.edit_message_text("two", CHAT, sent.message_id)
        with pytest.raises(BadRequest, match="not modified"):
            await bot.edit_message_text("two", CHAT, sent.message_id)
        await bot.send_chat_action(CHAT, "typing")
        await bot.delete_message(CHAT, sent.message_id)
        with pytest.raises(BadRequest, match="Message to delete not found"):
            await bot.delete_message(CHAT, sent.message_id)
        assert (await bot.get_chat(CHAT)).first_name == "Ann"

    with_bot(double, converse)
    (message,) = double.messages(CHAT)
    assert (message.text, message.edited, message.deleted) == ("two", True, True)


def test_updates_come_again_until_an_offset_confirms_them(double: TelegramDouble) -> None:
    ids = [double.user_says(CHAT, f"text {n}")["update_id"] for n in range(5)]

    async def first(bot: telegram.Bot) -> list[int]:
        return [update.update_id for update in await bot.get_updates(limit=3)]

    async def again(bot: telegram.Bot) -> list[int]:
        return [update.update_id for update in await bot.get_updates(offset=ids[1])]

    async def latest(bot: telegram.Bot) -> list[int]:
        return [update.update_id for update in await bot.get_updates(offset=-2)]

    assert with_bot(double, first) == ids[:3]
    assert with_bot(double, again) == ids[1:]
    assert with_bot(double, latest) == ids[-2:]
    assert [update["update_id"] for update in double.pending_updates] == ids[-2:]


def test_long_poll_waits_for_news_and_for_no_longer_than_asked(double: TelegramDouble) -> None:
    threading.Timer(0.3, lambda: double.user_says(CHAT, "late")).start()
    started = time.monotonic()
    _, found = call(double, "getUpdates", json={"timeout": 5})
    assert [update["message"]["text"] for update in found["result"]] == ["late"]
    assert 0.2 < time.monotonic() - started < 3
    started = time.monotonic()
    _, nothing = call(double, "getUpdates", json={"timeout": 1, "offset": found["result"][0]["update_id"] + 1})
    assert nothing["result"] == []
    assert 0.9 < time.monotonic() - started < 3


def test_second_poll_ends_the_first(double: TelegramDouble) -> None:
    async def both(bot: telegram.Bot) -> None:
        first = asyncio.create_task(bot.get_updates(timeout=5))
        await asyncio.sleep(0.3)
        second = httpx.AsyncClient(trust_env=False, verify=False)
        async with second:
            answer = await second.post(f"{double.url}/bot{double.token}/getUpdates")
        assert answer.json() == {"ok": True, "result": []}
        with pytest.raises(Conflict, match="terminated by other getUpdates"):
            await first

    with_bot(double, both)


def test_allowed_updates_keep_other_kinds_away(double: TelegramDouble) -> None:
    call(double, "getUpdates", json={"allowed_updates": ["edited_message"]})
    update = double.user_says(CHAT, "unseen")
    double.user_edits(update, "seen")
    _, found = call(double, "getUpdates")
    assert [list(update)[1] for update in found["result"]] == ["edited_message"]


@pytest.mark.parametrize(
    "request_form",
    [
        pytest.param({"json": {"chat_id": CHAT, "text": "héllo 你好"}}, id="json"),
        pytest.param({"data": {"chat_id": str(CHAT), "text": "héllo 你好"}}, id="form"),
        pytest.param({"data": {"chat_id": str(CHAT)}, "files": {"text": (None, "héllo 你好")}}, id="multipart"),
        pytest.param({"params": {"chat_id": CHAT, "text": "héllo 你好"}}, id="query"),
    ],
)
def test_every_kind_of_body_is_read(shared: TelegramDouble, request_form: dict[str, Any]) -> None:
    status, answer = call(shared, "sendmessage", **request_form)
    assert (status, answer["result"]["text"]) == (200, "héllo 你好")


@pytest.mark.parametrize(
    ("method", "body", "status", "description"),
    [
        ("noSuchMethod", {}, 404, "Not Found"),
        ("logOut", {}, 404, "Not Found"),
        ("sendMessage", {"text": "x"}, 400, "Bad Request: chat_id is empty"),
        ("sendMessage", {"chat_id": 5, "text": "x"}, 400, "Bad Request: chat not found"),
        ("sendMessage", {"chat_id": CHAT, "text": " \n"}, 400, "Bad Request: message text is empty"),
        ("sendMessage", {"chat_id": CHAT, "text": "x" * 4097}, 400, "Bad Request: message is too long"),
        ("sendMessage", {"chat_id": CHAT, "text": "😀" * 2049}, 400, "Bad Request: message is too long"),
        (
            "sendMessage",
            {"chat_id": CHAT, "text": "x", "reply_markup": "{"},
            400,
            "Bad Request: can't parse reply markup JSON object",
        ),
        (
            "sendMessage",
            {
                "chat_id": CHAT,
                "text": "x",
                "reply_markup": {"inline_keyboard": [[{"text": "a", "callback_data": "b" * 65}]]},
            },
            400,
            "Bad Request: BUTTON_DATA_INVALID",
        ),
        ("editMessageText", {"chat_id": CHAT, "message_id": 999, "text": "x"}, 400, "message to edit not found"),
        ("sendChatAction", {"chat_id": CHAT, "action": "dancing"}, 400, "wrong parameter action"),
        ("answerCallbackQuery", {"callback_query_id": "q9"}, 400, "query is too old"),
        ("sendPhoto", {"chat_id": CHAT, "photo": "nope"}, 400, "wrong file identifier"),
        ("sendDocument", {"chat_id": CHAT}, 400, "there is no document in the request"),
        ("getFile", {"file_id": "nope"}, 400, "invalid file_id"),
        ("setMyCommands", {"commands": [{"command": "Bad!", "description": "d"}]}, 400, "BOT_COMMAND_INVALID"),
        ("setWebhook", {"url": "http://example.org/"}, 400, "An HTTPS URL must be provided"),
        ("setWebhook", {"url": "https://example.org/", "secret_token": "no spaces"}, 400, "unallowed characters"),
    ],
)
def test_refusals(shared: TelegramDouble, method: str, body: dict[str, Any], status: int, description: str) -> None:
    got, answer = call(shared, method, json=body)
    assert (got, answer["ok"], answer["error_code"]) == (status, False, status)
    assert description in answer["description"]


@pytest.mark.parametrize(
    ("mode", "text", "outcome"),
    [
        ("HTML", "<b>bold &amp; <i>both</i></b>", "bold & both"),
        ("HTML", '<a href="https://example.org">here</a>', "here"),
        ("HTML", "<b>open", 'Can\'t find end tag corresponding to start tag "b"'),
        ("HTML", "a < b", "can't parse entities"),
        ("HTML", "<h1>big</h1>", 'Unsupported start tag "h1" at byte offset 0'),
        ("HTML", "<b><i>x</b></i>", "Unmatched end tag"),
        ("HTML", "x</b>", "Unexpected end tag"),
        ("MarkdownV2", r"*bold* _it_ done\.", "bold it done."),
        ("MarkdownV2", "[here](https://example.org)", "here"),
        ("MarkdownV2", "`a.b`", "a.b"),
        ("MarkdownV2", "done.", "Character '.' is reserved and must be escaped"),
        ("MarkdownV2", "*open", "Can't find end of Bold entity at byte offset 0"),
        ("MarkdownV2", "`open", "Can't find end of Code entity"),
        ("Markdown", "*bold* a.b [here](x)", "bold a.b here"),
        ("Markdown", "snake_case", "Can't find end of the entity starting at byte offset 5"),
        ("Wiki", "x", "unsupported parse_mode"),
    ],
)
def test_parse_modes(shared: TelegramDouble, mode: str, text: str, outcome: str) -> None:
    _, answer = call(shared, "sendMessage", json={"chat_id": CHAT, "text": text, "parse_mode": mode})
    if answer["ok"]:
        assert answer["result"]["text"] == outcome
    else:
        assert outcome in answer["description"]


def test_wrong_token_is_unauthorized(shared: TelegramDouble) -> None:
    answer = httpx.post(f"{shared.url}/bot1:wrong/getMe", trust_env=False, verify=False)
    assert (answer.status_code, answer.json()) == (
        401,
        {"ok": False, "error_code": 401, "description": "Unauthorized"},
    )

    async def nothing(bot: telegram.Bot) -> None:
        del bot

    with pytest.raises(InvalidToken):
        with_bot(shared, nothing, token="1:wrong")


def test_buttons_are_tapped_and_answered(double: TelegramDouble) -> None:
    double.user_says(CHAT, "hi")

    async def converse(bot: telegram.Bot) -> str | None:
        keyboard = [[telegram.InlineKeyboardButton("Yes", callback_data="yes:")]]
        await bot.send_message(CHAT, "sure?", reply_markup=telegram.InlineKeyboardMarkup(keyboard))
        tap = double.user_taps(CHAT, "Yes")
        (update,) = await bot.get_updates(offset=tap["update_id"])
        assert update.callback_query is not None
        await update.callback_query.answer()
        await bot.edit_message_reply_markup(CHAT, double.messages(CHAT)[0].message_id)
        return update.callback_query.data

    assert with_bot(double, converse) == "yes:"
    assert double.answered_queries == ["q1"]
    with pytest.raises(AssertionError, match="no button 'Yes'"):
        double.user_taps(CHAT, "Yes")


def test_what_a_customer_sent_is_fetched_for_an_agent(double: TelegramDouble) -> None:
    update = double.user_sends(CHAT, "voice")
    files = TelegramFiles(double.state.token, double.url)
    assert files.fetch(update["message"]["voice"]["file_id"]).content == b"content of voice.ogg"
    with pytest.raises(UnavailableError, match="does not give the file"):
        files.fetch("unknown")


def test_files_go_both_ways(double: TelegramDouble) -> None:
    double.user_sends(CHAT, "photo", caption="look")

    async def exchange(bot: telegram.Bot) -> None:
        (update,) = await bot.get_updates()
        assert update.message is not None
        assert update.message.caption == "look"
        file = await bot.get_file(update.message.photo[-1].file_id)
        assert bytes(await file.download_as_bytearray()) == b"content of photo.jpg"
        sent = await bot.send_document(CHAT, b"report", filename="r.txt", caption="here")
        assert sent.document is not None
        await bot.send_photo(CHAT, b"pixels")
        with pytest.raises(BadRequest, match="caption is too long"):
            await bot.send_photo(CHAT, b"pixels", caption="x" * 1025)

    with_bot(double, exchange)
    document, photo = double.messages(CHAT)
    assert double.state.files[document.file_id].content == b"report"
    assert (document.text, photo.method) == ("here", "sendPhoto")


@pytest.mark.parametrize("kind", ["photo", "sticker", "voice", "location", "document", "contact"])
def test_library_understands_every_attachment(shared: TelegramDouble, kind: str) -> None:
    update = telegram.Update.de_json(shared.user_sends(CHAT, kind))
    assert update.message is not None
    assert getattr(update.message, kind)


def test_profile_is_kept(double: TelegramDouble) -> None:
    async def introduce(bot: telegram.Bot) -> None:
        await bot.set_my_commands([("start", "Begin")])
        await bot.set_my_commands([("start", "开始")], language_code="zh")
        await bot.set_my_description("We help.")
        await bot.set_my_short_description("Help")
        await bot.set_chat_menu_button(menu_button=telegram.MenuButtonCommands())
        assert [c.description for c in await bot.get_my_commands(language_code="zh")] == ["开始"]

    with_bot(double, introduce)
    assert double.state.profile["description:"] == "We help."
    assert double.state.profile["menu_button:"] == {"type": "commands"}


def test_blocked_until_unblocked(double: TelegramDouble) -> None:
    double.user_says(CHAT, "hi")
    double.block(CHAT)

    async def send(bot: telegram.Bot) -> None:
        with pytest.raises(Forbidden, match="bot was blocked by the user"):
            await bot.send_message(CHAT, "x")
        double.unblock(CHAT)
        await bot.send_message(CHAT, "y")

    with_bot(double, send)
    assert [message.text for message in double.messages(CHAT)] == ["y"]


@pytest.mark.parametrize(
    ("kind", "error", "delivered"),
    [
        ("429", RetryAfter, 0),
        ("413", NetworkError, 0),
        ("500", NetworkError, 0),
        ("502", NetworkError, 0),
        ("drop_before", NetworkError, 0),
        ("drop_after", NetworkError, 1),
        ("hang", TimedOut, 0),
        ("hang_after", TimedOut, 1),
    ],
)
def test_faults_meet_one_request(shared: TelegramDouble, kind: Any, error: type[Exception], delivered: int) -> None:
    before, calls = len(shared.messages(CHAT)), len(shared.calls("sendMessage"))
    shared.fail_next("sendMessage", kind, retry_after=9)

    async def send(bot: telegram.Bot) -> None:
        with pytest.raises(error) as caught:
            await bot.send_message(CHAT, "x")
        assert type(caught.value) is error
        if isinstance(caught.value, RetryAfter):
            assert caught.value.retry_after.total_seconds() == 9  # type: ignore[union-attr]
        assert len(shared.messages(CHAT)) - before == delivered
        await bot.send_message(CHAT, "y")

    with_bot(shared, send)
    assert len(shared.messages(CHAT)) - before == delivered + 1
    assert [c.fault for c in shared.calls("sendMessage")[calls:]] == [kind, ""]


def test_fault_of_one_chat_leaves_others_alone(double: TelegramDouble) -> None:
    double.user_says(1, "hi")
    double.user_says(2, "hi")
    double.fail_next("sendMessage", "429", times=2, chat_id=1)
    statuses = [call(double, "sendMessage", json={"chat_id": chat, "text": "x"})[0] for chat in (1, 2, 1, 2, 1)]
    assert statuses == [429, 200, 429, 200, 200]


def test_trouble_is_asked_about_each_request_until_it_ends(double: TelegramDouble) -> None:
    double.user_says(1, "hi")
    double.user_says(2, "hi")
    double.fail_as(lambda method, chat: Fault(method, "500", 1, 0, chat) if chat == 1 else None)
    statuses = [call(double, "sendMessage", json={"chat_id": chat, "text": "x"})[0] for chat in (1, 2, 1)]
    double.fail_as(None)
    statuses.append(call(double, "sendMessage", json={"chat_id": 1, "text": "x"})[0])
    assert statuses == [500, 200, 500, 200]
    assert [c.fault for c in double.calls("sendMessage")] == ["500", "", "500", ""]


def test_webhook_carries_the_secret_and_is_tried_again(double: TelegramDouble) -> None:
    with webhook_receiver([500, 503]) as (url, seen):

        async def install(bot: telegram.Bot) -> telegram.WebhookInfo:
            await bot.set_webhook(url, secret_token="s3cret", allowed_updates=["message"])
            with pytest.raises(Conflict, match="webhook is active"):
                await bot.get_updates()
            sent = double.user_says(CHAT, "hello")
            await asyncio.to_thread(double.wait_until, lambda: not double.pending_updates)
            assert seen == [("s3cret", sent)] * 3
            return await bot.get_webhook_info()

        info = with_bot(double, install)
        assert info.last_error_message == "Wrong response from the webhook: 503"
        assert (info.url, info.pending_update_count, info.allowed_updates) == (url, 0, ("message",))

        async def remove(bot: telegram.Bot) -> int:
            await bot.delete_webhook()
            double.user_says(CHAT, "by poll")
            return len(await bot.get_updates(timeout=1))

        assert with_bot(double, remove) == 1
        assert len(seen) == 3


def test_wait_for_explains_what_is_there_instead(double: TelegramDouble) -> None:
    double.user_says(CHAT, "hi")
    call(double, "sendMessage", json={"chat_id": CHAT, "text": "only this"})
    assert double.wait_for(CHAT, lambda message: "this" in message.text).text == "only this"
    with pytest.raises(TimeoutError, match="only this"):
        double.wait_for(CHAT, 2, timeout=0.1)
