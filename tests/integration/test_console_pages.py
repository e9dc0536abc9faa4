"""The console over HTTP, with a real SQL log."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from bot.adapters.memory import MemoryState
from bot.adapters.sql_engine import create_log_engine, parse_url
from bot.adapters.sql_log import SqlLog
from bot.adapters.sql_schema import upgrade_schema
from bot.console import pages
from bot.domain.conversation import Conversation, Status
from bot.domain.messages import Button, IncomingMessage, Reply
from bot.domain.records import TurnRecord
from bot.domain.rules import Priority, ServiceLevel
from bot.errors import LogUnavailableError
from bot.handover import Desk

PASSWORD = "correct horse battery"
CHAT = "telegram:1001"
EVIL = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"


class MovableClock:
    def __init__(self) -> None:
        self.time = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


class ShopKnowledge:
    def labels(self, head: str) -> list[str]:
        return {"intent": ["refund", "track_order"], "emotion": ["anger", "joy"]}[head]

    def faq_entries(self) -> list[tuple[str, str]]:
        return [("ret-1", "How do I return an <item>?")]


@pytest.fixture(scope="module")
def password_hash() -> str:
    # As cheap as Argon2 goes: these tests log in a hundred times.
    return PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),)).hash(PASSWORD)


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("console") / "empty.db"
    upgrade_schema(f"sqlite:///{path}")
    return path


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def log(tmp_path: Path, empty_database: Path, clock: MovableClock, password_hash: str) -> Iterator[SqlLog]:
    path = shutil.copy(empty_database, tmp_path / "log.db")
    log = SqlLog(create_log_engine(parse_url(f"sqlite:///{path}")), clock)
    log.add_agent("mei", password_hash, "admin")
    log.add_agent("tom", password_hash, "agent")
    yield log
    log.close()


@pytest.fixture
def app(log: SqlLog, clock: MovableClock) -> FastAPI:
    state = MemoryState()
    knowledge = ShopKnowledge()
    desk = Desk(log=log, state=state, clock=clock, texts=lambda key, lang: f"{key}/{lang}", knowledge=knowledge)
    app = FastAPI()
    pages.mount_static(app)
    app.include_router(
        pages.build_router(
            log=log,
            state=state,
            desk=desk,
            knowledge=knowledge,
            secret_key="s" * 32,
            bot_names={"en": "Linden Shop"},
            sla=ServiceLevel(),
        )
    )
    return app


@pytest.fixture
def browser(app: FastAPI) -> Callable[[], TestClient]:
    return lambda: TestClient(app, follow_redirects=False, headers={"accept-language": "en"})


@pytest.fixture
def client(browser: Callable[[], TestClient]) -> TestClient:
    client = browser()
    _log_in(client, "mei")
    return client


def _csrf(html: str) -> str:
    match = re.search(r'name="csrf" value="([0-9a-f]{64})"', html)
    assert match, "the page has no CSRF token"
    return match[1]


def _log_in(client: TestClient, name: str, password: str = PASSWORD) -> int:
    csrf = _csrf(client.get("/console/login").text)
    return client.post("/console/login", data={"name": name, "password": password, "csrf": csrf}).status_code


def _post(client: TestClient, path: str, **fields: str) -> tuple[int, str]:
    csrf = _csrf(client.get("/console").text)
    answer = client.post(f"/console/{path}", data={"csrf": csrf, **fields})
    return answer.status_code, answer.headers.get("location", "") or answer.text


def _say(log: SqlLog, clock: MovableClock, text: str, *, escalate: str | None = "strong anger") -> int:
    message = IncomingMessage(f"m{len(log.turns(CHAT))}", CHAT, text, clock.now(), customer="Anna")
    log.accept(message)
    document = {
        "decision": {"kind": "handover", "reason": "strong anger"},
        "understanding": {
            "intent": {"label": "refund", "confidence": 0.93},
            "emotion": {"label": "anger", "confidence": 0.9},
            "oos": 0.02,
        },
        "hits": [{"id": "ret-1", "question": "How do I return it?", "score": 0.71}],
        "release": "release-7",
    }
    state = Conversation(CHAT, Status.WAITING, "en", turns=1)
    replies = (Reply("Sorry!", "en", (Button("Talk to a person", "human:"),)),)
    return log.record_turn(TurnRecord(message, clock.now(), replies, document, state, escalate))


def test_every_page_asks_for_a_login(browser: Callable[[], TestClient]) -> None:
    client = browser()
    for path in ("", "?show=all", "/conversation?id=x", "/audit", "/service", "/escalation?id=1"):
        answer = client.get(f"/console{path}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/login"), path
    for path in ("/queue/part", "/conversation/part?id=x", "/service/part"):
        assert client.get(f"/console{path}").status_code == 401, path


def test_logging_in_and_out(browser: Callable[[], TestClient]) -> None:
    client = browser()
    assert _log_in(client, "mei") == 303
    page = client.get("/console")
    assert page.status_code == 200
    assert "Nobody is waiting." in page.text
    assert client.get("/console/login").headers["location"] == "/console"
    token = client.cookies["frontdesk_session"]
    assert _post(client, "logout") == (303, "/console/login")
    client.cookies.set("frontdesk_session", token, path="/console")
    assert client.get("/console").status_code == 303


@pytest.mark.parametrize(
    ("name", "password"), [("mei", "wrong password"), ("nobody", PASSWORD)], ids=["wrong password", "unknown name"]
)
def test_a_wrong_login_gets_the_same_answer(browser: Callable[[], TestClient], name: str, password: str) -> None:
    client = browser()
    csrf = _csrf(client.get("/console/login").text)
    answer = client.post("/console/login", data={"name": name, "password": password, "csrf": csrf})
    assert answer.status_code == 401
    assert "Name or password is wrong." in answer.text
    assert "frontdesk_session" not in client.cookies


def test_the_sixth_login_in_a_minute_is_refused(browser: Callable[[], TestClient]) -> None:
    client = browser()
    assert [_log_in(client, "mei", "wrong password") for _ in range(5)] == [401] * 5
    assert _log_in(client, "mei") == 429


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_session_cookie_is_guarded(app: FastAPI, scheme: str) -> None:
    client = TestClient(app, base_url=f"{scheme}://testserver", follow_redirects=False)
    csrf = _csrf(client.get("/console/login").text)
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
    turn = _say(log, clock, "hello")
    fields = {"id": CHAT, "text": "Hello!", "turn": str(turn), "intent": "refund"}
    answer = client.post(f"/console/{path}", data=fields | ({} if csrf is None else {"csrf": csrf}))
    assert answer.status_code == 403
    assert len(log.turns(CHAT)[0].replies) == 1
    assert log.corrections(turn) == []
    assert client.get("/console").status_code == 200


def test_the_csrf_token_of_another_session_is_refused(browser: Callable[[], TestClient], client: TestClient) -> None:
    other = browser()
    _log_in(other, "tom")
    csrf = _csrf(other.get("/console").text)
    assert client.post("/console/logout", data={"csrf": csrf}).status_code == 403


@pytest.mark.parametrize("keep_cookie", [True, False], ids=["wrong token", "no cookie"])
def test_a_login_form_of_another_site_is_refused(browser: Callable[[], TestClient], keep_cookie: bool) -> None:
    client = browser()
    csrf = _csrf(client.get("/console/login").text)
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


def test_the_queue_tells_who_waits_and_why(client: TestClient, log: SqlLog, clock: MovableClock) -> None:
    _say(log, clock, "Where is my parcel?!")
    clock.time += timedelta(minutes=7)
    page = client.get("/console").text
    for words in ("Anna", "Where is my parcel?!", "strong anger", "anger", "7 min", 'Open <b class="count">1</b>'):
        assert words in page, words
    assert "Where is my parcel" not in client.get("/console?show=held").text
    assert "Where is my parcel" in client.get("/console?show=all").text
    assert client.get("/console?show=other").status_code == 422


def test_a_part_that_did_not_change_is_not_sent_again(client: TestClient, log: SqlLog, clock: MovableClock) -> None:
    _say(log, clock, "hello")
    path = f"/console/conversation/part?id={CHAT}"
    first = client.get(path)
    assert client.get(path, headers={"if-none-match": first.headers["etag"]}).status_code == 304
    _say(log, clock, "are you there?")
    second = client.get(path, headers={"if-none-match": first.headers["etag"]})
    assert second.status_code == 200
    assert "are you there?" in second.text


def test_the_conversation_shows_the_whole_trace(client: TestClient, log: SqlLog, clock: MovableClock) -> None:
    turn = _say(log, clock, "hello")
    log.add_feedback(turn, -1)
    page = client.get(f"/console/conversation?id={CHAT}").text
    for words in ("refund 93%", "handover: strong anger", "2%", "How do I return it?", "71%", "release-7", "unhelpful"):
        assert words in page, words
    assert '<option value="ret-1">How do I return an &lt;item&gt;?</option>' in page
    assert client.get("/console/conversation?id=web:nobody").status_code == 404


@pytest.mark.parametrize("path", ["", "?show=all", f"/conversation?id={CHAT}", "/queue/part"])
def test_what_customers_write_is_escaped(client: TestClient, log: SqlLog, clock: MovableClock, path: str) -> None:
    _say(log, clock, EVIL)
    page = client.get(f"/console{path}").text
    assert "&lt;script&gt;alert(" in page
    assert "<script>alert" not in page
    assert "<img src=x" not in page


def test_an_agent_takes_replies_and_closes(client: TestClient, log: SqlLog, clock: MovableClock) -> None:
    _say(log, clock, "hello")
    assert _post(client, "conversation/take", id=CHAT) == (303, "/console/conversation?id=telegram%3A1001&done=take")
    assert _post(client, "conversation/reply", id=CHAT, text="I am Mei.", key="once")[0] == 303
    assert _post(client, "conversation/reply", id=CHAT, text="I am Mei.", key="once")[0] == 303
    assert "held by mei" in client.get(f"/console/conversation?id={CHAT}").text
    assert _post(client, "conversation/close", id=CHAT)[0] == 303
    said = [(reply.author, reply.text) for reply in log.turns(CHAT)[0].replies]
    assert said == [
        ("bot", "Sorry!"),
        ("system", "agent_joined/en"),
        ("agent", "I am Mei."),
        ("system", "closed/en"),
        ("system", "rate/en"),
    ]
    head = log.conversation(CHAT)
    assert head is not None
    assert head.status is Status.CLOSED


def test_the_slower_agent_is_told_and_keeps_the_draft(
    client: TestClient, browser: Callable[[], TestClient], log: SqlLog, clock: MovableClock
) -> None:
    _say(log, clock, "hello")
    _post(client, "conversation/take", id=CHAT)
    tom = browser()
    _log_in(tom, "tom")
    status, page = _post(tom, "conversation/reply", id=CHAT, text="Hello <from> Tom")
    assert status == 409
    assert "mei holds this conversation already" in page
    assert ">Hello &lt;from&gt; Tom</textarea>" in page
    assert _post(client, "conversation/hand-back", id=CHAT)[0] == 303
    assert _post(tom, "conversation/take", id=CHAT)[0] == 303


def test_corrections_are_stored_and_shown(client: TestClient, log: SqlLog, clock: MovableClock) -> None:
    turn = _say(log, clock, "hello")
    status, location = _post(client, "correct", turn=str(turn), intent="track_order", emotion="", faq=" ret-1 ")
    assert (status, location.endswith(f"#turn-{turn}")) == (303, True)
    assert {(fix.field, fix.value, fix.agent) for fix in log.corrections(turn)} == {
        ("intent", "track_order", "mei"),
        ("faq", "ret-1", "mei"),
    }
    page = client.get(f"/console/conversation?id={CHAT}").text
    assert "✓ track_order by mei" in page
    assert "<option selected>track_order</option>" in page


def test_of_a_form_with_an_unknown_value_nothing_is_stored(
    client: TestClient, log: SqlLog, clock: MovableClock
) -> None:
    turn = _say(log, clock, "hello")
    status, page = _post(client, "correct", turn=str(turn), intent="track_order", faq=EVIL)
    assert status == 409
    assert "is not known" in page
    assert "<script>alert" not in page
    assert log.corrections(turn) == []
    assert _post(client, "correct", turn="999", intent="refund")[0] == 404
    assert _post(client, "correct", turn="many", intent="refund")[0] == 422


def test_the_audit_trail_is_for_admins(client: TestClient, browser: Callable[[], TestClient]) -> None:
    page = client.get("/console/audit")
    assert page.status_code == 200
    assert "log_in" in page.text
    tom = browser()
    _log_in(tom, "tom")
    assert tom.get("/console/audit").status_code == 403


@pytest.mark.parametrize("path", ["/login", "", "/audit", "/conversation?id=nobody", "/static/console.css"])
def test_every_answer_has_the_security_headers(client: TestClient, path: str) -> None:
    headers = client.get(f"/console{path}").headers
    assert headers["content-security-policy"].startswith("default-src 'self';")
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == ("no-cache" if "static" in path else "no-store")


def test_the_language_follows_the_browser_until_another_is_chosen(browser: Callable[[], TestClient]) -> None:
    client = browser()
    assert "登录客服工作台" in client.get("/console/login", headers={"accept-language": "zh-CN"}).text
    assert "登录客服工作台" in client.get("/console/login?lang=zh").text
    assert "登录客服工作台" in client.get("/console/login").text
    assert "Log in to the console" in client.get("/console/login?lang=xx", headers={"cookie": ""}).text


def test_a_database_that_is_away_is_named_on_a_page(
    client: TestClient, log: SqlLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise LogUnavailableError("the database does not answer")

    monkeypatch.setattr(log, "escalations", fail)
    answer = client.get("/console")
    assert answer.status_code == 503
    assert "the database does not answer" in answer.text


def test_no_page_needs_inline_scripts_or_other_hosts(client: TestClient, log: SqlLog, clock: MovableClock) -> None:
    _say(log, clock, "hello")
    for path in ("", f"/conversation?id={CHAT}", "/audit"):
        page = client.get(f"/console{path}").text
        assert not re.search(r"<script(?! src=\"/console/static/)|<style|\sstyle=|\son[a-z]+=|https?://", page), path


def test_a_conversation_is_summed_up_noted_and_passed_on(client: TestClient, log: SqlLog, clock: MovableClock) -> None:
    _say(log, clock, "this is the second time!")
    page = f"/console/conversation?id={CHAT}"
    assert "Pass on" not in client.get(page).text
    _post(client, "conversation/take", id=CHAT)
    status, _ = _post(client, "conversation/note", id=CHAT, text="a <b>good</b> customer")
    html = client.get(page).text
    assert status == 303
    assert "a &lt;b&gt;good&lt;/b&gt; customer" in html
    assert 'emotion-anger">anger' in html
    assert "<option>tom</option>" in html
    assert _post(client, "conversation/transfer", id=CHAT, to="tom")[0] == 303
    escalation = log.escalation(CHAT)
    assert escalation is not None
    assert escalation.agent == "tom"
    assert _post(client, "conversation/transfer", id=CHAT, to="nobody")[0] == 409


def test_the_queue_shows_urgency_and_rating(client: TestClient, log: SqlLog, clock: MovableClock) -> None:
    _say(log, clock, "help")
    message = IncomingMessage("m7", CHAT, "it burns", clock.now())
    state = Conversation(CHAT, Status.WAITING, "en", turns=2)
    urgent = TurnRecord(message, clock.now(), (), {}, state, "danger: fire", Priority.URGENT)
    log.record_turn(urgent)
    html = client.get("/console").text
    assert 'priority-urgent">urgent' in html
    assert "danger: fire; strong anger" in html


def test_a_customer_is_blocked_and_let_back_in(client: TestClient, log: SqlLog, clock: MovableClock) -> None:
    _say(log, clock, "spam")
    page = f"/console/conversation?id={CHAT}"
    assert _post(client, "conversation/block", id=CHAT)[0] == 303
    assert 'priority-urgent">blocked' in client.get(page).text
    assert _post(client, "conversation/unblock", id=CHAT)[0] == 303
    assert 'priority-urgent">blocked' not in client.get(page).text


# -- the desk


def test_an_agent_is_there_while_pages_ask_and_can_be_away(
    client: TestClient, log: SqlLog, clock: MovableClock
) -> None:
    def presence() -> tuple[datetime | None, bool]:
        mei = log.agent_by_name("mei")
        assert mei is not None
        return mei.seen_at, mei.away

    client.get("/console/queue/part")
    assert presence() == (clock.now(), False)
    clock.time += timedelta(seconds=15)
    client.get("/console/service/part")
    assert presence() == (clock.now(), False)
    assert "Available" in client.get("/console").text
    assert _post(client, "presence", away="true", back="/console/service") == (303, "/console/service")
    assert presence()[1]
    assert "Away" in client.get("/console").text
    assert _post(client, "presence", away="false", back="https://evil.example/") == (303, "/console")
    assert not presence()[1]


def test_an_agent_sees_their_own_conversations(client: TestClient, log: SqlLog, clock: MovableClock) -> None:
    _say(log, clock, "where is it?")
    assert "You hold no conversation." in client.get("/console?show=mine").text
    mei, tom = log.agent_by_name("mei"), log.agent_by_name("tom")
    assert mei is not None
    assert tom is not None
    assert log.assign_escalation(CHAT, mei.id, 1)
    page = client.get("/console?show=mine").text
    assert "where is it?" in page
    assert 'data-waiting="1"' in page
    assert 'data-waiting="1"' in client.get(f"/console/conversation/part?id={CHAT}").text
    log.set_escalation(CHAT, "held", tom.id)
    assert 'data-waiting="0"' in client.get("/console?show=mine").text


def test_the_service_is_measured_and_what_is_overdue_is_marked(
    client: TestClient, log: SqlLog, clock: MovableClock
) -> None:
    _say(log, clock, "where is it?")
    clock.time += timedelta(minutes=5)
    assert "overdue" not in client.get("/console/queue/part").text
    clock.time += timedelta(minutes=1)
    assert '<span class="chip overdue">overdue</span>' in client.get("/console/queue/part").text
    assert _post(client, "conversation/reply", id=CHAT, text="Here")[0] == 303
    row = re.search(r"<tr><td>Last 7 days</td>(.*?)</tr>", client.get("/console/service").text)
    assert row is not None
    assert re.findall(r"<td>(.*?)</td>", row[1]) == ["1", "0%", "6 min", "–", "–"]
    clock.time += timedelta(days=8)
    _log_in(client, "mei")
    assert re.findall(r"Last (?:7|30) days</td><td>(\d)</td>", client.get("/console/service").text) == ["0", "1"]


def test_a_notice_leads_to_its_conversation(client: TestClient, log: SqlLog, clock: MovableClock) -> None:
    _say(log, clock, "where is it?")
    number = log.escalations()[0].id
    answer = client.get(f"/console/escalation?id={number}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/conversation?id=telegram%3A1001")
    assert client.get("/console/escalation?id=99").status_code == 404
