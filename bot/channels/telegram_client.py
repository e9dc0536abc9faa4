"""The connection to Telegram: the library's bot with its own HTTP clients, its greeting and its refusals."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Mapping
from typing import Any

import structlog
import telegram
from telegram.error import InvalidToken, TelegramError
from telegram.request import HTTPXRequest

from bot.channels.telegram_updates import UNREADABLE
from bot.errors import SettingsError

ALLOWED_UPDATES = ("message", "edited_message", "callback_query")

COMMANDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "/start": "Start the conversation",
        "/help": "What I can do",
        "/human": "Talk to a person",
        "/language": "Choose the language",
        "/cancel": "Stop what we are filling in",
        "/privacy": "What is stored about you",
        "/export": "Get your data as a file",
        "/delete": "Have your data removed",
    },
    "zh": {
        "/start": "开始对话",
        "/help": "我能做什么",
        "/human": "转人工客服",
        "/language": "选择语言",
        "/cancel": "停止当前的填写",
        "/privacy": "我们保存哪些信息",
        "/export": "导出我的数据",
        "/delete": "删除我的数据",
    },
}
"""What the menu says about each command; commands that are not here are not in the menu."""

DESCRIPTIONS: Mapping[str, tuple[str, str]] = {
    "en": (
        "I am the customer service of {name}. Ask me anything; if I don't know, a colleague takes over.",
        "Customer service of {name}",
    ),
    "zh": ("我是{name}的客服，有问题请直接问我；我不知道的，会请同事来回答。", "{name}客服"),
}
"""What an empty chat and the bot's profile say."""

_MENDING = (
    "copy the token from @BotFather (/mybots, the bot, API Token), or leave the setting out to run without Telegram"
)
REFUSED_TOKEN = f"Telegram refused FRONTDESK_TELEGRAM_TOKEN: {_MENDING}"

_log = structlog.get_logger(__name__)


def open_bot(token: str, api_url: str, *, request_seconds: float, connections: int) -> telegram.Bot:
    """Builds a bot that is not connected yet.

    Args:
        token: as @BotFather gave it.
        api_url: where the Bot API is, such as `https://api.telegram.org`.
        request_seconds: how long an answer may take, beyond the time of a long poll.
        connections: how many requests may run at once, long polls aside.

    Returns:
        The library's bot.

    Raises:
        SettingsError: the token or the address cannot be one, or the proxy settings cannot be used.
    """
    if not re.fullmatch(r"\d+:[\w-]+", token, re.ASCII):
        raise SettingsError(
            f"FRONTDESK_TELEGRAM_TOKEN should look like 123456789:AAE-letters-and-digits, and does not: {_MENDING}"
        )
    if not api_url.startswith(("https://", "http://")):
        raise SettingsError(f"FRONTDESK_TELEGRAM_API_URL must begin with https://, and is {api_url!r}: leave it out")
    # httpx logs each request's address, and Telegram's addresses carry the token.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    root = api_url.rstrip("/")
    try:
        return telegram.Bot(
            token,
            base_url=lambda key: f"{root}/bot{key}",
            base_file_url=lambda key: f"{root}/file/bot{key}",
            request=_http(request_seconds, connections),
            get_updates_request=_http(request_seconds, connections=1, kind=_UpdatesRequest),
        )
    except (RuntimeError, ValueError) as error:
        raise SettingsError(f"the proxy settings (HTTPS_PROXY, ALL_PROXY) do not work for Telegram: {error}") from error


class _UpdatesRequest(HTTPXRequest):
    """Asks for updates. One that the library cannot read would fail those beside it, and be offered for ever."""

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        answer = HTTPXRequest.parse_json_payload(payload)
        updates = answer.get("result")
        if isinstance(updates, list):
            numbered = [update for update in updates if _has_number(update)]
            # Where none has a number nothing can be acknowledged: the library fails on them, and the poll is paused.
            answer["result"] = [_readable(update) for update in numbered] or updates
        return answer


def _has_number(update: Any) -> bool:
    return isinstance(update, dict) and isinstance(update.get("update_id"), int)


def _readable(update: dict[str, Any]) -> dict[str, Any]:
    """An update as it is, or where it cannot be read only its number: nothing to answer, but acknowledged in turn."""
    number = {"update_id": update["update_id"]}
    try:
        telegram.Update.de_json(update)
    except UNREADABLE as error:
        _log.warning("telegram_update_refused", **number, error=repr(error))
        return number
    return update


def _http(seconds: float, connections: int, kind: type[HTTPXRequest] = HTTPXRequest) -> HTTPXRequest:
    return kind(connection_pool_size=connections, read_timeout=seconds, write_timeout=seconds, pool_timeout=seconds)


async def log_in(bot: telegram.Bot) -> None:
    """Opens the HTTP clients and checks the token; the library's TelegramError says that Telegram is away.

    Args:
        bot: what `open_bot` built.

    Raises:
        SettingsError: Telegram does not know the token.
    """
    try:
        await bot.initialize()
    except InvalidToken:
        raise SettingsError(REFUSED_TOKEN) from None


async def introduce(bot: telegram.Bot, commands: Collection[str], names: Mapping[str, str]) -> None:
    """Sets menu and descriptions, English for everybody and each language for its speakers; failures are logged.

    Args:
        bot: the connected bot.
        commands: the commands that it knows, such as `/help`.
        names: its name by language; no descriptions without one.
    """
    try:
        for lang in (None, *COMMANDS):
            known = COMMANDS[lang or "en"]
            menu = [(name.removeprefix("/"), about) for name, about in known.items() if name in commands]
            await bot.set_my_commands(menu, language_code=lang)
        for lang in (None, *DESCRIPTIONS):
            name = names.get(lang or "en", "")
            if name:
                long, short = (text.format(name=name) for text in DESCRIPTIONS[lang or "en"])
                await bot.set_my_description(long, language_code=lang)
                await bot.set_my_short_description(short, language_code=lang)
    except TelegramError as error:
        _log.warning("telegram_menu_not_set", error=error.message)
