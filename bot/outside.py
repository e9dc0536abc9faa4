"""Builds, from settings, what reaches services outside that an operator may have: each is absent by default."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pydantic import SecretStr

from bot.adapters.chat_endpoint import ChatEndpoint
from bot.adapters.http_actions import HttpActions
from bot.adapters.telegram_files import TelegramFiles
from bot.adapters.transcription_endpoint import TranscriptionEndpoint
from bot.dialogue.hearing import Hearing
from bot.dialogue.rewriting import Rewriting
from bot.domain.ports import Attachments
from bot.domain.private_numbers import PrivateKind
from bot.domain.rules import BotRules
from bot.settings import Settings


def actions(settings: Settings, rules: BotRules) -> HttpActions | None:
    """The company's own API, with what `rules` keep from customers."""
    if settings.actions_url is None:
        return None
    key, hidden = _plain(settings.actions_key), rules.hidden_numbers
    return HttpActions(settings.actions_url, key, hidden_numbers=hidden, unwanted=rules.unwanted)


def chat_endpoint(settings: Settings) -> ChatEndpoint | None:
    """The language model that rewords."""
    if settings.rewrite_url is None:
        return None
    key = _plain(settings.rewrite_key)
    return ChatEndpoint(settings.rewrite_url, settings.rewrite_model, key, settings.rewrite_seconds)


def rewriting(settings: Settings, unwanted: Sequence[str]) -> Rewriting | None:
    """What has FAQ answers reworded; `unwanted` are words that are never said."""
    endpoint = chat_endpoint(settings)
    return Rewriting(endpoint, unwanted) if endpoint else None


def transcription_endpoint(settings: Settings) -> TranscriptionEndpoint | None:
    """What puts speech into words."""
    if settings.transcribe_url is None:
        return None
    key = _plain(settings.transcribe_key)
    return TranscriptionEndpoint(settings.transcribe_url, settings.transcribe_model, key, settings.transcribe_seconds)


def attachments(settings: Settings) -> TelegramFiles | None:
    """What fetches files that customers sent."""
    token = _plain(settings.telegram_token)
    return TelegramFiles(token, settings.telegram_api_url) if token else None


def hearing(settings: Settings, files: Attachments | None, hidden_numbers: Collection[PrivateKind]) -> Hearing | None:
    """What gives voice messages, which `files` fetches, their words; `hidden_numbers` are not stored."""
    endpoint = transcription_endpoint(settings)
    return Hearing(files, endpoint, hidden_numbers) if files and endpoint else None


def _plain(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret is not None else None
