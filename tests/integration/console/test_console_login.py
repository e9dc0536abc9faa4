"""Logging in to the console, and what guards it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx import ASGITransport, AsyncClient

from bot.adapters.sql_log import SqlLog
from bot.console import auth
from tests.integration.console.site import CHAT, PASSWORD, MovableClock, csrf_of, log_in, post, say


def test_every_page_asks_for_a_login(browser: Callable[[], TestClient]) -> None:
    client = browser()
    for path in ("", "?show=all", "/conversation?id=x", "/audit", "/service", "/escalation?id=1"):
        answer = client.get(f"/console{path}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/login"), path
    for path in ("/queue/part", "/conversation/part?id=x", "/service/part"):
        assert client.get(f"/console{path}").status_code == 401, path


def test_logging_in_and_out(browser: Callable[[], TestClient]) -> None:
    client = browser()
    assert log_in(client, "mei") == 303
    page = client.get("/console")
    assert page.status_code == 200
    assert "Nobody is waiting." in page.text
    assert client.get("/console/login").headers["location"] == "/console"
    token = client.cookies["frontdesk_session"]
    assert post(client, "logout") == (303, "/console/login")
    client.cookies.set("frontdesk_session", token, path="/console")
    assert client.get("/console").status_code == 303


@pytest.mark.parametrize(
    ("name", "password"), [("mei", "wrong password"), ("nobody", PASSWORD)], ids=["wrong password", "unknown name"]
)
def test_a_wrong_login_gets_the_same_answer(browser: Callable[[], TestClient], name: str, password: str) -> None:
    client = browser()
    csrf = csrf_of(client.get("/console/login").text)
    answer = client.post("/console/login", data={"name": name, "password": password, "csrf": csrf})
    assert answer.status_code == 401
    assert "Name or password is wrong." in answer.text
    assert "frontdesk_session" not in client.cookies


def test_the_sixth_login_in_a_minute_is_refused(browser: Callable[[], TestClient]) -> None:
    client = browser()
    assert [log_in(client, "mei", "wrong password") for _ in range(5)] == [401] * 5
    assert log_in(client, "mei") == 429


def test_a_flood_of_logins_checks_two_passwords_at_a_time_and_holds_up_nobody_else(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    two, enough = threading.Event(), threading.Event()

    def verify(password: str, _: str) -> bool:
        checked.append(password)
        if len(checked) >= 2:
            two.set()
        enough.wait(30)
        return False

    monkeypatch.setattr(auth, "verify_password", verify)

    async def flood() -> None:
        async with contextlib.AsyncExitStack() as stack:
            # More than the server has threads, each from an address of its own.
            visitors = [
                await stack.enter_async_context(
                    AsyncClient(transport=ASGITransport(app, client=(f"10.0.0.{n}", 1)), base_url="http://testserver")
                )
                for n in range(60)
            ]
            page = await visitors[0].get("/console/login")
            form = {"name": "mei", "password": PASSWORD, "csrf": csrf_of(page.text)}
            for visitor in visitors:
                visitor.cookies = visitors[0].cookies
            tries = [asyncio.create_task(visitor.post("/console/login", data=form)) for visitor in visitors]
            try:
                await asyncio.to_thread(two.wait, 30)
                await asyncio.sleep(0.5)
                assert (await asyncio.wait_for(visitors[0].get("/console/login"), 5)).status_code == 200
                assert len(checked) == 2
            finally:
                enough.set()
            assert {answer.status_code for answer in await asyncio.gather(*tries)} == {401}

    asyncio.run(flood())
    assert len(checked) == 60


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_session_cookie_is_guarded(app: FastAPI, scheme: str) -> None:
    client = TestClient(app, base_url=f"{scheme}://testserver", follow_redirects=False)
    csrf = csrf_of(client.get("/console/login").text)
    answer = client.post("/console/login", data={"name": "mei", "password": PASSWORD, "csrf": csrf})
    cookie = next(value for value in answer.headers.get_list("set-cookie") if value.startswith("frontdesk_session="))
    parts = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "samesite=lax", "path=/console", "max-age=43200"} <= parts
    assert ("secure" in parts) is (scheme == "https")


@pytest.mark.parametrize("csrf", [None, "", "0" * 64, "é"], ids=["missing", "empty", "wrong", "not ASCII"])
@pytest.mark.parametrize(
    "path",
    [
        "conversation/take",
        "conversation/reply",
        "conversation/hand-back",
        "conversation/close",
        "conversation/transfer",
        "conversation/note",
        "presence",
        "conversation/block",
        "conversation/unblock",
        "correct",
        "logout",
    ],
)
def test_no_form_is_taken_without_its_csrf_token(
    client: TestClient, log: SqlLog, clock: MovableClock, path: str, csrf: str | None
) -> None:
    turn = say(log, clock, "hello")
    fields = {"id": CHAT, "text": "Hello!", "turn": str(turn), "intent": "refund"}
    answer = client.post(f"/console/{path}", data=fields | ({} if csrf is None else {"csrf": csrf}))
    assert answer.status_code == 403
    assert len(log.turns(CHAT)[0].replies) == 1
    assert log.corrections(turn) == []
    assert client.get("/console").status_code == 200


def test_the_csrf_token_of_another_session_is_refused(browser: Callable[[], TestClient], client: TestClient) -> None:
    other = browser()
    log_in(other, "tom")
    csrf = csrf_of(other.get("/console").text)
    assert client.post("/console/logout", data={"csrf": csrf}).status_code == 403


@pytest.mark.parametrize("keep_cookie", [True, False], ids=["wrong token", "no cookie"])
def test_a_login_form_of_another_site_is_refused(browser: Callable[[], TestClient], keep_cookie: bool) -> None:
    client = browser()
    csrf = csrf_of(client.get("/console/login").text)
    if not keep_cookie:
        client.cookies.clear()
    sent = "0" * 64 if keep_cookie else csrf
    answer = client.post("/console/login", data={"name": "mei", "password": PASSWORD, "csrf": sent})
    assert answer.status_code == 403
    assert "frontdesk_session" not in client.cookies


def test_a_session_ends_after_twelve_hours(client: TestClient, clock: MovableClock) -> None:
    clock.time += timedelta(hours=11, minutes=59)
    assert client.get("/console").status_code == 200
    clock.time += timedelta(minutes=2)
    assert client.get("/console").headers["location"] == "/console/login"


@pytest.mark.parametrize("path", ["/login", "", "/audit", "/conversation?id=nobody", "/static/console.css"])
def test_every_answer_has_the_security_headers(client: TestClient, path: str) -> None:
    headers = client.get(f"/console{path}").headers
    assert headers["content-security-policy"].startswith("default-src 'self';")
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == ("no-cache" if "static" in path else "no-store")
