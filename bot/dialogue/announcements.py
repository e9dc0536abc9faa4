"""What every customer is told once while it holds, such as maintenance or a delay; pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from bot.domain.messages import Reply
from bot.domain.rules import Announcement


def announce(announcements: Iterable[Announcement], told: Iterable[str], lang: str, now: datetime) -> dict[str, Reply]:
    """What a customer has not been told yet.

    Args:
        announcements: all there are.
        told: keys of those that the customer was told.
        lang: the language to say it in; the first that an announcement has where it lacks this one.
        now: the present moment.

    Returns:
        A message by key for each announcement that holds now.
    """
    known = set(told)
    return {
        each.key: _said(each, lang)
        for each in announcements
        if each.begins <= now < each.ends and each.key not in known
    }


def _said(announcement: Announcement, lang: str) -> Reply:
    spoken = lang if lang in announcement.texts else next(iter(announcement.texts))
    return Reply(announcement.texts[spoken], spoken)
