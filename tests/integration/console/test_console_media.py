"""Files of customers in the console."""

from __future__ import annotations

from fastapi.testclient import TestClient

from bot.adapters.sql_log import SqlLog
from bot.domain.messages import ContentKind
from tests.integration.console.site import CHAT, Files, MovableClock, say


def test_an_agent_listens_to_a_voice_message(client: TestClient, log: SqlLog, clock: MovableClock) -> None:
    turn = say(log, clock, "", kind=ContentKind.VOICE, media="f1")
    page = client.get(f"/console/conversation?id={CHAT}").text
    assert f'<a href="/console/media/{turn}" target="_blank" rel="noopener">Listen</a>' in page
    answer = client.get(f"/console/media/{turn}")
    assert (answer.status_code, answer.content) == (200, b"content of f1")
    assert answer.headers["content-type"] == "audio/ogg"
    assert answer.headers["content-disposition"] == "inline; filename*=UTF-8''a%22%C3%BC%0D%0A.ogg"


def test_what_a_customer_made_is_saved_and_never_shown(client: TestClient, log: SqlLog, clock: MovableClock) -> None:
    turn = say(log, clock, "my bill", kind=ContentKind.FILE, media="f1")
    answer = client.get(f"/console/media/{turn}")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_what_is_not_there_is_said(client: TestClient, log: SqlLog, clock: MovableClock, attachments: Files) -> None:
    wordless = say(log, clock, "hello")
    photo = say(log, clock, "look", kind=ContentKind.PHOTO, media="f1")
    assert client.get(f"/console/media/{wordless}").status_code == 404
    assert client.get("/console/media/999").status_code == 404
    for number in (0, 2**31, 10**30):
        assert client.get(f"/console/media/{number}").status_code == 422
    attachments.away = True
    answer = client.get(f"/console/media/{photo}")
    assert answer.status_code == 503
    assert "Telegram does not give the file" in answer.text


def test_strangers_get_no_file(client: TestClient, log: SqlLog, clock: MovableClock) -> None:
    turn = say(log, clock, "", kind=ContentKind.VOICE, media="f1")
    client.cookies.clear()
    answer = client.get(f"/console/media/{turn}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/login")
