from __future__ import annotations

import logging

import pytest
import structlog

from bot.cli.log_lines import MaskingFormatter, mask_event, mask_personal
from bot.cli.serve import server_config
from bot.settings import Settings

PERSONAL = {
    "e-mail": ("write to anna.li+shop@mail.example.com now", "write to •••• now"),
    "e-mail in Chinese": ("邮箱anna@example.cn谢谢", "邮箱••••谢谢"),
    "bank card": ("card 4111 1111 1111 1111", "card ••••1111"),
    "identity card": ("身份证11010519491231002X", "身份证••••"),
    "Chinese mobile": ("电话13800138000。", "电话••••。"),
    "Chinese mobile in groups": ("138 0013 8000", "••••"),
    "with a country's code": ("+44 20 7946 0958, +8613800138000", "••••, ••••"),
    "Chinese landline": ("021-62345678", "••••"),
    "British": ("call 020 7946 0958", "call ••••"),
    "American": ("(415) 555-0132 or 415-555-0132", "•••• or ••••"),
}

PLAIN = [
    "telegram:7123456789",
    "telegram:-1001234567890",
    "web:5f3a4de2-0123-4567-8901-b0123456789c",
    "order FD20481937 of 2026-05-02T10:36:12.013800138000+00:00",
    "release 20261129-103612 in 0.01380013 s on 127.0.0.1:8080, 192.168.100.200",
    "sqlite:////srv/frontdesk/frontdesk.sqlite3",
]


@pytest.mark.parametrize(("text", "masked"), PERSONAL.values(), ids=PERSONAL)
def test_personal_data_is_masked(text: str, masked: str) -> None:
    assert mask_personal(text) == masked
    assert mask_personal(masked) == masked


@pytest.mark.parametrize("text", PLAIN)
def test_what_operators_look_for_stays(text: str) -> None:
    assert mask_personal(text) == text


def test_a_long_text_is_masked_in_time() -> None:
    for part in ("a.", "+1-", "0 ", "a@a.", "(0"):
        assert mask_personal(part * 100_000)


def test_all_that_a_line_says_is_masked() -> None:
    try:
        int("13800138000 x")
    except ValueError:
        event = structlog.processors.format_exc_info(None, "error", {"event": "failed", "exc_info": True})
    masked = mask_event(
        None, "error", {**event, "texts": ["a@b.example"], "ids": (1, None), "error": OSError("a@b.cn")}
    )
    assert "with base 10: '•••• x'" in masked.pop("exception")
    assert masked == {"event": "failed", "texts": ["••••"], "ids": [1, None], "error": "OSError('••••')"}


def test_the_lines_of_libraries_are_masked_with_their_tracebacks() -> None:
    record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "from %s", ("a@b.example",), None)
    try:
        int("13800138000 x")
    except ValueError as error:
        record.exc_info = (ValueError, error, error.__traceback__)
    line = MaskingFormatter("%(message)s").format(record)
    assert line.startswith("from ••••\n")
    assert line.endswith("'•••• x'")


def test_the_server_leaves_its_lines_to_the_masked_log() -> None:
    async def app(*_: object) -> None: ...

    server_config(app, Settings(_env_file=None)).configure_logging()
    assert not logging.getLogger("uvicorn").handlers
    assert logging.getLogger("uvicorn.error").propagate
