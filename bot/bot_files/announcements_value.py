"""Reads the part `announcements` of `bot.yaml`."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from bot.bot_files.yaml_values import Value
from bot.domain.rules import Announcement, Hours


def read_announcements(value: Value, languages: Collection[str], hours: Hours | None) -> tuple[Announcement, ...]:
    """Reads what customers are told for a time.

    Args:
        value: the list.
        languages: the bot's languages, in each of which an announcement has a text.
        hours: their time zone counts where a moment names none, else UTC.

    Returns:
        The announcements without mistakes, in their order.
    """
    zone: tzinfo = ZoneInfo(hours.timezone) if hours else UTC
    found = [_announcement(item, languages, zone) for item in value.items()]
    return tuple(each for each in found if each is not None)


def _announcement(value: Value, languages: Collection[str], zone: tzinfo) -> Announcement | None:
    fields = value.fields(("from", "until", "text"))
    texts = {language: text.text() for language, text in fields["text"].fields(required=languages).items()}
    begins, ends = _moment(fields["from"], zone), _moment(fields["until"], zone)
    if begins is None or ends is None or not texts:
        return None
    if ends <= begins:
        value.complain("it ends before it begins; write the beginning first")
        return None
    return Announcement(begins, ends, texts)


def _moment(value: Value, zone: tzinfo) -> datetime | None:
    text = value.text()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        if value.node is not None:
            value.complain(f'"{text}" is no moment; write one such as 2026-12-24 18:00')
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)
