"""The connection to Telegram: the library's bot with its own HTTP clients, its greeting and its refusals."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping

import structlog
import telegram
from telegram.error import InvalidToken, TelegramError
from telegram.request import HTTPXRequest

from bot.errors import SettingsError

# The library deprecates whole seconds as `int`; this is its documented switch to `timedelta`.
os.environ.setdefault("PTB_TIMEDELTA", "1")

ALLOWED_UPDATES = ("message", "edited_message", "callback_query")

COMMANDS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "en": (("start", "Start the conversation"), ("help", "What I can do"), ("human", "Talk to a person")),
    "zh": (("start", "开始对话"), ("help", "我能做什么"), ("human", "转人工客服")),
}

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
            get_updates_request=_http(request_seconds, connections=1),
        )
    except (RuntimeError, ValueError) as error:
        raise SettingsError(f"the proxy settings (HTTPS_PROXY, ALL_PROXY) do not work for Telegram: {error}") from error


def _http(seconds: float, connections: int) -> HTTPXRequest:
    return HTTPXRequest(
        connection_pool_size=connections, read_timeout=seconds, write_timeout=seconds, pool_timeout=seconds
    )


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


async def offer_commands(bot: telegram.Bot) -> None:
    """Sets the commands menu, English for everybody and each language for its own speakers; failures are logged."""
    try:
        await bot.set_my_commands(COMMANDS["en"])
        for lang, commands in COMMANDS.items():
            await bot.set_my_commands(commands, language_code=lang)
    except TelegramError as error:
        _log.warning("telegram_menu_not_set", error=error.message)
