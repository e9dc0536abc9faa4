"""What Frontdesk and its libraries log: on stderr, with personal data masked."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping

import structlog

from bot.domain.private_numbers import MARK, hide

_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}")
# With the code of a country; Chinese mobiles; numbers with a leading zero, as in China and Britain; American ones.
_PHONE = re.compile(
    r"""(?<![A-Za-z0-9.+-])
    (?: \+\d (?:[ ().-]{0,2}\d){6,14}
      | 1[3-9]\d ([ -]?)\d{4}\1\d{4}
      | \(?0\d{2,4}\)? [ -]?\d{3,4} [ -]?\d{3,4}
      | \(?[2-9]\d{2}\)? [ .-]{1,2}\d{3} [ .-]\d{4}
    )(?!-?[A-Za-z0-9])""",
    re.VERBOSE,
)


def set_up_logging() -> None:
    """Logs go to stderr, so that stdout carries answers alone; libraries speak up only when something is wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(MaskingFormatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            mask_event,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


class MaskingFormatter(logging.Formatter):
    """Masks personal data in what libraries log, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        """The masked line of a record."""
        return mask_personal(super().format(record))


def mask_event(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Masks personal data in all that a line says; a processor of structlog."""
    return {name: _masked(value) for name, value in event.items()}


def mask_personal(text: str) -> str:
    """Masks e-mail addresses, phone numbers, bank cards and identity cards.

    Args:
        text: what would be logged.

    Returns:
        The text with a mark in the place of each; of a bank card the last four digits stay.
    """
    return _PHONE.sub(MARK, _EMAIL.sub(MARK, hide(text)))


def _masked(value: object) -> object:
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, Mapping):
        return {name: _masked(part) for name, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(part) for part in value]
    return mask_personal(value if isinstance(value, str) else repr(value))
