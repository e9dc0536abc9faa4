"""How `frontdesk run` serves."""

from __future__ import annotations

import asyncio

import pytest
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from bot.cli.serve import server_config
from bot.settings import Settings
from bot.web import client_address

BEHIND = [(b"host", b"help.example"), (b"x-forwarded-for", b"203.0.113.9"), (b"x-forwarded-proto", b"https")]


@pytest.mark.parametrize(
    ("trusted", "peer", "believed"),
    [
        (None, "127.0.0.1", True),
        (None, "::1", True),
        (None, "172.18.0.1", False),
        ("127.0.0.1, 172.16.0.0/12", "172.18.0.1", True),
        ("127.0.0.1, 172.16.0.0/12", "127.0.0.1", True),
        ("172.18.0.1", "172.18.0.2", False),
        ("fd00::/8", "fd00::1", True),
        ("", "127.0.0.1", False),
    ],
)
def test_only_trusted_proxies_say_where_a_request_came_from(
    monkeypatch: pytest.MonkeyPatch, trusted: str | None, peer: str, believed: bool
) -> None:
    monkeypatch.delenv("FRONTDESK_TRUSTED_PROXIES", raising=False)
    if trusted is not None:
        monkeypatch.setenv("FRONTDESK_TRUSTED_PROXIES", trusted)
    seen = []

    async def app(scope: Scope, _: Receive, __: Send) -> None:
        request = Request(scope)
        seen.append((client_address(request), request.url.scheme))

    config = server_config(app, Settings(_env_file=None))
    config.load()
    scope = {"type": "http", "scheme": "http", "path": "/", "client": (peer, 1), "headers": list(BEHIND)}
    asyncio.run(config.loaded_app(scope, None, None))
    assert seen == [("203.0.113.9", "https") if believed else (peer, "http")]
