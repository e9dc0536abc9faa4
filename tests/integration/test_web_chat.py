"""The web chat over HTTP, with a real SQL log."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from itsdangerous import URLSafeTimedSerializer

from bot.adapters.memory import MemoryState
from bot.adapters.sql_engine import create_log_engine, parse_url
from bot.adapters.sql_log import SqlLog
from bot.adapters.sql_schema import upgrade_schema
from bot.channels import web_chat
from bot.domain.conversation import Conversation
from bot.domain.messages import Button, IncomingMessage, Reply
from bot.domain.records import TurnRecord
from bot.errors import StateUnavailableError

GREETINGS = {
    "en": Reply("Hello!", "en", (Button("Returns", "intent:return"),)),
    "zh": Reply("您好！", "zh", (Button("退货", "intent:return"),)),
}
ADDRESS_RATE = 30
OWN = {"x-requested-with": "frontdesk-chat"}


class FixedClock:
    def now(self) -> datetime:
        return datetime(2026, 3, 1, 12, tzinfo=UTC)


class EchoIntake:
    """Answers each message once with its own text."""

    def __init__(self, log: SqlLog) -> None:
        self.log = log
        self.seen: list[IncomingMessage] = []
        self.away = False

    def accept(self, message: IncomingMessage) -> bool:
        return self.log.accept(message)

    def answer(self, message: IncomingMessage) -> dict[str, Any]:
        self.seen.append(message)
        self.log.accept(message)
        if self.away:
            raise StateUnavailableError("Redis does not answer")
        reply = Reply(f"You said {message.text}", "en", (Button("More", "faq:more"),))
        state = Conversation(message.conversation, lang="en")
        turn = self.log.record_turn(TurnRecord(message, message.at, (reply,), {}, state))
        return {"turn": turn}


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("chat") / "empty.db"
    upgrade_schema(f"sqlite:///{path}")
    return path


@pytest.fixture
def log(tmp_path: Path, empty_database: Path) -> Iterator[SqlLog]:
    path = shutil.copy(empty_database, tmp_path / "log.db")
    log = SqlLog(create_log_engine(parse_url(f"sqlite:///{path}")), FixedClock())
    yield log
    log.close()


@pytest.fixture
def intake(log: SqlLog) -> EchoIntake:
    return EchoIntake(log)


@pytest.fixture
def state() -> MemoryState:
    return MemoryState()


@pytest.fixture
def app(intake: EchoIntake, state: MemoryState) -> FastAPI:
    app = FastAPI()
    web_chat.mount_static(app)
    app.include_router(
        web_chat.build_router(
            intake=intake,
            log=intake.log,
            state=state,
            clock=FixedClock(),
            secret_key="s" * 32,
            bot_names={"en": "<Linden> Shop", "zh": "菩提树"},
            greetings=GREETINGS,
            address_rate=ADDRESS_RATE,
        )
    )
    return app


@pytest.fixture
def visit(app: FastAPI) -> Callable[[], TestClient]:
    def open_page() -> TestClient:
        client = TestClient(app, headers={"accept-language": "en"})
        assert client.get("/chat").status_code == 200
        return client

    return open_page


@pytest.fixture
def client(visit: Callable[[], TestClient]) -> TestClient:
    return visit()


def _send(client: TestClient, text: str, id: str = "message-1", **more: str) -> Any:  # noqa: A002
    return client.post("/chat/messages", json={"id": id, "text": text, **more}, headers=OWN)


def test_the_page_names_the_bot_and_stays_within_its_policy(app: FastAPI) -> None:
    answer = TestClient(app).get("/chat")
    assert "<h1>&lt;Linden&gt; Shop</h1>" in answer.text
    assert "<h1>菩提树</h1>" in TestClient(app).get("/chat?lang=zh").text
    assert answer.headers["content-security-policy"].startswith("default-src 'self';")
    assert answer.headers["x-frame-options"] == "DENY"
    assert not re.search(r"<script(?! src=\"/chat/static/)|<style|\sstyle=|\son[a-z]+=|https?://", answer.text)
    for file in re.findall(r'(?:href|src)="(/chat/static/[^"]+)"', answer.text):
        assert TestClient(app).get(file).status_code == 200, file


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_visitor_cookie_is_guarded(app: FastAPI, scheme: str) -> None:
    cookie = TestClient(app, base_url=f"{scheme}://testserver").get("/chat").headers["set-cookie"]
    parts = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "samesite=lax", "path=/chat", "max-age=31536000"} <= parts
    assert ("secure" in parts) is (scheme == "https")


def test_a_message_is_answered_and_both_are_there_after_a_reload(client: TestClient) -> None:
    answer = _send(client, "<b>hi</b>")
    assert answer.status_code == 200
    (message,) = answer.json()["messages"]
    assert (message["author"], message["text"]) == ("bot", "You said <b>hi</b>")
    assert message["buttons"] == [{"label": "More", "value": "faq:more"}]
    client.get("/chat")
    history = client.get("/chat/history").json()["messages"]
    assert [(entry["author"], entry["text"]) for entry in history] == [
        ("bot", "Hello!"),
        ("customer", "<b>hi</b>"),
        ("bot", "You said <b>hi</b>"),
    ]


def test_the_same_id_is_one_message(client: TestClient) -> None:
    assert _send(client, "hi").json() == _send(client, "hi").json()
    assert len(client.get("/chat/history").json()["messages"]) == 3


def test_a_tapped_button_sends_its_value_and_shows_its_label(client: TestClient, intake: EchoIntake) -> None:
    assert _send(client, "Returns", button="intent:return").status_code == 200
    assert (intake.seen[0].text, intake.seen[0].kind, intake.seen[0].lang) == ("intent:return", "button", "en")
    assert client.get("/chat/history").json()["messages"][1]["text"] == "Returns"


def test_what_an_agent_writes_arrives_by_polling_and_counts_as_sent(client: TestClient, intake: EchoIntake) -> None:
    last = _send(client, "hi").json()["messages"][0]["id"]
    conversation = intake.seen[0].conversation
    intake.log.add_outgoing(conversation, Reply("Mei here", "en"), author="agent")
    (message,) = client.get(f"/chat/messages?after={last}").json()["messages"]
    assert (message["author"], message["text"]) == ("agent", "Mei here")
    assert client.get(f"/chat/messages?after={message['id']}").json() == {"messages": []}
    assert {row.status for row in intake.log.outgoing_since(conversation, 0)} == {"sent"}


def test_visitors_never_read_each_others_conversations(visit: Callable[[], TestClient], intake: EchoIntake) -> None:
    anna, bob = visit(), visit()
    turn = _send(anna, "my secret").json()["messages"][0]["turn"]
    _send(bob, "hi")
    assert len({message.conversation for message in intake.seen}) == 2
    assert "secret" not in bob.get("/chat/history").text
    assert "secret" not in bob.get("/chat/messages?after=0").text
    verdict = bob.post("/chat/feedback", json={"turn": turn, "value": 1}, headers=OWN)
    assert verdict.status_code == 404
    assert intake.log.turns(intake.seen[0].conversation)[0].feedback == 0


def _forge(key: str, salt: str) -> str:
    return str(URLSafeTimedSerializer(key, salt=salt).dumps("somebody"))


@pytest.mark.parametrize(
    "cookie",
    [
        None,
        "",
        "somebody",
        _forge("another key", "frontdesk.web-chat.visitor"),
        _forge("s" * 32, "another purpose"),
    ],
    ids=["none", "empty", "unsigned", "another key", "another purpose"],
)
def test_a_forged_cookie_opens_nothing(app: FastAPI, intake: EchoIntake, cookie: str | None) -> None:
    client = TestClient(app, cookies={} if cookie is None else {"frontdesk_visitor": cookie})
    answers = [client.get("/chat/history"), client.get("/chat/messages"), _send(client, "hi")]
    assert [answer.status_code for answer in answers] == [403] * 3
    assert intake.seen == []
    assert "frontdesk_visitor=" in client.get("/chat").headers["set-cookie"]


def test_a_cookie_with_one_changed_letter_is_refused(client: TestClient) -> None:
    genuine = client.cookies["frontdesk_visitor"]
    changed = ("A" if genuine[0] != "A" else "B") + genuine[1:]
    client.cookies.clear()
    client.cookies.set("frontdesk_visitor", changed, path="/chat")
    assert client.get("/chat/history").status_code == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({**OWN, "content-type": "text/plain"}, 403),
        ({**OWN, "origin": "https://evil.example"}, 403),
        ({**OWN, "origin": "null"}, 403),
        ({**OWN, "origin": "https://evil.example", "sec-fetch-site": "cross-site"}, 403),
        ({**OWN, "origin": "https://evil.testserver", "sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "same-origin"}, 403),
        ({**OWN, "origin": "http://testserver"}, 200),
        ({**OWN, "origin": "https://help.example", "sec-fetch-site": "same-origin"}, 200),
    ],
    ids=[
        "no header",
        "no JSON",
        "other site",
        "sandboxed",
        "other site, said so",
        "sister site, said so",
        "no header, own page",
        "own page",
        "own page behind a proxy that sends another Host",
    ],
)
@pytest.mark.parametrize("path", ["messages", "feedback"])
def test_only_our_own_page_may_post(client: TestClient, path: str, headers: dict[str, str], status: int) -> None:
    turn = _send(client, "hi", "message-0").json()["messages"][0]["turn"]
    body = {"id": "message-1", "text": "hi"} if path == "messages" else {"turn": turn, "value": 1}
    answer = client.post(f"/chat/{path}", json=body, headers={"content-type": "application/json", **headers})
    assert answer.status_code == status


@pytest.mark.parametrize(("lang", "words"), [("en", "must pass on the header Host"), ("zh", "转发 Host 请求头")])
def test_a_page_that_is_not_taken_for_our_own_is_told_why(client: TestClient, lang: str, words: str) -> None:
    headers = {**OWN, "origin": "http://help.example", "accept-language": lang}
    answer = client.post("/chat/messages", json={"id": "message-1", "text": "hi"}, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (403, "foreign")
    assert words in answer.json()["text"]
    client.cookies.clear()
    assert "cookies" in _send(client, "hi").json()["text"]


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ('{"id": "message-1", "text": ""}', 422, "invalid"),
        ('{"id": "message-1", "text": " \\u0000 "}', 422, "invalid"),
        ('{"id": "message-1", "text": "\\ud800"}', 422, "invalid"),
        ('{"id": "message-1", "text": 7}', 422, "invalid"),
        ('{"id": "../../x y", "text": "hi"}', 422, "invalid"),
        ('{"id": "message-1", "text": "hi", "button": "' + "x" * 65 + '"}', 422, "invalid"),
        ("{", 422, "invalid"),
        ('{"id": "message-1", "text": "' + "x" * 4001 + '"}', 422, "too_long"),
        ('{"id": "message-1", "text": "' + "x" * 70000 + '"}', 413, "too_long"),
    ],
    ids=["empty", "blank", "half a surrogate", "number", "bad id", "long button", "no JSON", "long", "huge"],
)
def test_a_bad_message_is_refused_politely(
    client: TestClient, intake: EchoIntake, body: str, status: int, error: str
) -> None:
    answer = client.post("/chat/messages", content=body, headers={**OWN, "content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert intake.seen == []


def test_four_thousand_characters_are_taken(client: TestClient) -> None:
    assert _send(client, "长" * 4000).status_code == 200


def test_the_twenty_first_message_in_a_minute_must_wait(
    client: TestClient, visit: Callable[[], TestClient], intake: EchoIntake
) -> None:
    assert {_send(client, "hi", f"message-{number}").status_code for number in range(20)} == {200}
    refused = _send(client, "hi", "message-20")
    assert (refused.status_code, refused.json()["error"]) == (429, "too_many")
    assert "wait a moment" in refused.json()["text"]
    client.get("/chat?lang=zh")
    assert "稍等片刻" in _send(client, "hi", "message-21").json()["text"]
    assert len(intake.seen) == 20
    assert _send(visit(), "hi").status_code == 200


def test_new_visitors_of_one_address_do_not_get_past_its_limit(
    visit: Callable[[], TestClient], intake: EchoIntake
) -> None:
    answers = [_send(visit(), "hi") for _ in range(ADDRESS_RATE + 1)]
    assert [answer.status_code for answer in answers] == [200] * ADDRESS_RATE + [429]
    assert (answers[-1].json()["error"], answers[-1].headers["retry-after"]) == ("too_many", "30")
    assert len(intake.seen) == ADDRESS_RATE


def test_while_a_service_is_away_the_page_is_told_and_the_same_id_works_later(
    client: TestClient, intake: EchoIntake, state: MemoryState, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bool:
        raise StateUnavailableError("Redis does not answer")

    intake.away = True
    with monkeypatch.context() as outage:
        outage.setattr(state, "allow", fail)
        answer = _send(client, "hi")
    assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
    assert "Redis" not in answer.text
    assert intake.log.next_pending(intake.seen[0].conversation) is not None
    intake.away = False
    assert _send(client, "hi").json()["messages"][0]["text"] == "You said hi"


@pytest.mark.parametrize("value", [1, -1])
def test_a_verdict_is_stored_and_shown_again(client: TestClient, intake: EchoIntake, value: int) -> None:
    turn = _send(client, "hi").json()["messages"][0]["turn"]
    assert client.post("/chat/feedback", json={"turn": turn, "value": value}, headers=OWN).status_code == 200
    assert client.get("/chat/history").json()["messages"][1]["feedback"] == value


@pytest.mark.parametrize("body", [{"turn": 1, "value": 0}, {"turn": "1", "value": 1}, {"turn": 10**30, "value": 1}, {}])
def test_a_bad_verdict_is_refused(client: TestClient, body: dict[str, Any]) -> None:
    assert client.post("/chat/feedback", json=body, headers=OWN).status_code == 422


def test_the_page_speaks_the_visitors_language(app: FastAPI) -> None:
    client = TestClient(app, headers={"accept-language": "zh-CN,zh;q=0.9"})
    assert "输入消息" in client.get("/chat").text
    assert client.get("/chat/history").json()["messages"][0]["text"] == "您好！"
    assert "Type a message" in client.get("/chat?lang=en").text
    assert client.get("/chat/history").json()["messages"][0]["text"] == "Hello!"


def test_visitors_download_their_own_data_alone(client: TestClient, visit: Callable[[], TestClient]) -> None:
    _send(client, "my secret")
    answer = client.get("/chat/my-data")
    assert answer.headers["content-disposition"] == 'attachment; filename="my-data.json"'
    assert [message["text"] for message in answer.json()["messages"]] == ["my secret"]
    assert "my secret" not in visit().get("/chat/my-data").text


def test_nobody_downloads_data_without_a_cookie(app: FastAPI) -> None:
    assert TestClient(app).get("/chat/my-data").status_code == 403
