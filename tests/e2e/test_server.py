"""The HTTP API of a running server, and how the server starts."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.server import Server, command, wait_until
from tests.e2e.shop import answer, says

ANSWERS = {
    "template": ("How long does delivery take?", "多久能送到？", "template", "delivery_time"),
    "payment": ("Which payment methods do you accept?", "你们支持哪些付款方式？", "template", "payment_methods"),
    "small talk": ("thank you so much!", "谢谢你啊", "smalltalk", "thanks"),
    "who are you": ("are you a robot?", "你是机器人吗？", "smalltalk", "bot_identity"),
    "person": ("I want to talk to a human", "转人工", "handover", "human_agent"),
}


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(("english", "chinese", "kind", "template"), ANSWERS.values(), ids=ANSWERS)
def test_a_message_gets_the_right_answer(
    server: Server, conversation: str, lang: str, english: str, chinese: str, kind: str, template: str
) -> None:
    document = server.ask(conversation, english if lang == "en" else chinese)
    assert document["decision"]["kind"] == kind
    assert any(says(document["replies"][0]["text"], key, lang) for key in (template, "handover"))
    assert document["replies"][0]["lang"] == document["understanding"]["lang"] == lang


@pytest.mark.parametrize(
    ("question", "entry"),
    [
        ("can I bring my dog along into your store?", "dogs-in-store.en"),
        ("do you give a discount to students", "student-discount.en"),
        ("我能带狗狗进店吗", "dogs-in-store.zh"),
        ("水壶里有水垢怎么弄掉", "kettle-descaling.zh"),
    ],
)
def test_a_paraphrased_question_gets_its_faq_answer(
    server: Server, conversation: str, question: str, entry: str
) -> None:
    document = server.ask(conversation, question)
    assert (document["decision"]["kind"], document["decision"]["faq"]) == ("faq", entry)
    assert document["replies"][0]["text"] == answer(entry)
    assert document["hits"][0]["id"] == entry


@pytest.mark.parametrize(
    ("lang", "wish", "number", "agreed"),
    [("en", "please cancel my order", "it is FD20481937", "yes"), ("zh", "我想取消订单", "订单号FD20481937", "是的")],
)
def test_a_form_asks_confirms_and_hands_over(
    server: Server, conversation: str, lang: str, wish: str, number: str, agreed: str
) -> None:
    asked = server.ask(conversation, wish)
    assert asked["decision"]["kind"] == "form"
    assert says(asked["replies"][0]["text"], "ask_order_number", lang)
    confirmed = server.ask(conversation, number)
    assert says(confirmed["replies"][0]["text"], "confirm_order", lang)
    assert "FD20481937" in confirmed["replies"][0]["text"]
    done = server.ask(conversation, agreed)
    assert says(done["replies"][0]["text"], "order_cancel", lang)
    stored = server.conversation(conversation)
    assert (stored["status"], stored["lang"]) == ("waiting", lang)
    assert [turn["text"] for turn in stored["turns"]] == [wish, number, agreed]
    assert [turn["decision"]["kind"] for turn in stored["turns"]] == ["form"] * 3


@pytest.mark.parametrize(("text", "word"), [("Where is my order?", "order"), ("我的快递到哪里了？", "快递")])
def test_an_answer_can_say_why(server: Server, conversation: str, text: str, word: str) -> None:
    why = server.ask(conversation, text, explain=True)["explanation"]
    assert (why["head"], why["label"], why["method"]) == ("intent", "order_status", "erasure")
    assert "".join(token["text"] for token in why["tokens"]) == text.replace(" ", "").replace("？", "?")
    heaviest = sorted(why["tokens"], key=lambda token: -token["weight"])[:3]
    assert any(word in token["text"] or token["text"] in word for token in heaviest)
    assert "order_status" in {near["labels"].get("intent") for near in why["neighbours"]}
    assert "explanation" not in server.ask(conversation, text)


def test_an_id_seen_before_gets_the_first_answer_again(server: Server, conversation: str) -> None:
    first = server.ask(conversation, "How long does delivery take?", id="m1")
    assert server.ask(conversation, "How long does delivery take?", id="m1") == first
    assert server.ask(conversation, "something else", id="m1") == first
    assert [turn["id"] for turn in server.conversation(conversation)["turns"]] == ["m1"]
    other = f"{conversation}:other"
    assert server.ask(other, "多久能送到？", id="m1")["turn"] != first["turn"]


def test_an_id_sent_many_times_at_once_is_one_message(server: Server, conversation: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: server.ask(conversation, "hello", id="m1"), range(6)))
    assert answers == [answers[0]] * 6
    assert len(server.conversation(conversation)["turns"]) == 1


def test_messages_sent_at_once_are_all_answered(server: Server, conversation: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        turns = set(pool.map(lambda n: server.ask(conversation, "thanks", id=f"m{n}")["turn"], range(6)))
    assert [turn["turn"] for turn in server.conversation(conversation)["turns"]] == sorted(turns)


@pytest.mark.parametrize("name", ["shop/42", "customer@example.com", "客户七", "a?b=c&d#e%20"])
def test_a_conversation_may_have_any_name_without_spaces(server: Server, name: str) -> None:
    unique = f"{name}-{uuid4().hex}"
    server.ask(unique, "hello")
    response = server.request("GET", "/v1/conversations/" + "".join(f"%{byte:02X}" for byte in unique.encode()))
    assert response.json()["id"] == unique


def test_an_unknown_conversation_is_not_found(server: Server) -> None:
    assert server.request("GET", "/v1/conversations/nobody").status_code == 404


BAD_TEXTS = {
    "empty": ("", "empty"),
    "white space": (" \t\n\u3000 ", "empty"),
    "100,000 characters": ("where is it? " * 7692 + "abcd", "too_long"),
    "100,000 Chinese characters": ("快" * 100_000, "too_long"),
    "100,000 emoji": ("😀" * 100_000, "too_long"),
    "control characters": ("".join(map(chr, [*range(32), *range(127, 160)])), None),
    "control characters among words": ("How\x00 long\x07 does\x1b[31m delivery take?", None),
    "zero width": ("\u200b\u200d\ufeff\u2060", None),
    "emoji only": ("😀😡👨‍👩‍👧🇨🇳", None),
    "Arabic": ("أين طلبي؟ لم يصل بعد", "unknown_language"),
    "Hebrew with marks": ("\u202eאיפה ההזמנה שלי?\u202c", "unknown_language"),
    "HTML": ("<script>alert('x')</script><b>How long</b> does <i>delivery</i> take?", None),
    "Markdown": ("# How *long* does [delivery](http://example.com) take?\n```\nrm -rf\n```", None),
    "template syntax": ("{name} {{name}} {order_number} ${jndi:ldap://x} %s %(x)s", None),
    "SQL": ("'; DROP TABLE message; --", None),
    "Russian": ("Где мой заказ? Я жду уже две недели", "unknown_language"),
    "Japanese": ("わたしの ちゅうもんは どこですか", "unknown_language"),
    "unpaired accents": ("\u0301\u0302" * 500, None),
    "one long word": ("a" * 1900, None),
    "command nobody knows": ("/reboot now", "help"),
}


@pytest.mark.parametrize(("text", "template"), BAD_TEXTS.values(), ids=BAD_TEXTS)
def test_odd_texts_get_a_polite_answer(server: Server, conversation: str, text: str, template: str | None) -> None:
    document = server.ask(conversation, text)
    said = [reply["text"] for reply in document["replies"]]
    assert said
    assert all(reply.strip() and len(reply) < 1000 for reply in said)
    assert not any("<script>" in reply or "{" in reply for reply in said)
    assert template is None or any(says(said[0], template, lang) for lang in ("en", "zh"))
    assert server.conversation(conversation)["turns"][0]["replies"][0]["text"] == said[0]


BAD_BODIES: dict[str, tuple[Any, str]] = {
    "no text": ({"conversation": "a"}, "text"),
    "no conversation": ({"text": "a"}, "conversation"),
    "empty conversation": ({"conversation": "", "text": "a"}, "conversation"),
    "space in conversation": ({"conversation": "a b", "text": "a"}, "conversation"),
    "long conversation": ({"conversation": "a" * 201, "text": "a"}, "conversation"),
    "text is a number": ({"conversation": "a", "text": 7}, "text"),
    "text is null": ({"conversation": "a", "text": None}, "text"),
    "text too long": ({"conversation": "a", "text": "a" * 100_001}, "text"),
    "empty id": ({"conversation": "a", "text": "a", "id": ""}, "id"),
    "lang is a list": ({"conversation": "a", "text": "a", "lang": ["en"]}, "lang"),
    "unknown field": ({"conversation": "a", "text": "a", "colour": "red"}, "colour"),
    "a list": ([], "body"),
    "nothing": (None, "body"),
}


@pytest.mark.parametrize(("body", "field"), BAD_BODIES.values(), ids=BAD_BODIES)
def test_a_body_that_is_wrong_is_refused_with_its_field(server: Server, body: Any, field: str) -> None:
    response = server.request("POST", "/v1/messages", json=body)
    assert response.status_code == 422
    assert [problem["field"] for problem in response.json()["problems"]] == [field]


@pytest.mark.parametrize("body", [b"{", b'{"conversation": "a", "text": "\xff"}', b"conversation=a&text=b"])
def test_a_body_that_is_no_json_is_refused(server: Server, body: bytes) -> None:
    response = server.request("POST", "/v1/messages", content=body, headers={"content-type": "application/json"})
    assert response.status_code in (400, 422)
    assert response.json().keys() & {"error", "detail"}


def test_half_a_character_is_refused(server: Server, conversation: str) -> None:
    body = f'{{"conversation": "{conversation}", "text": "\\ud800"}}'
    response = server.request("POST", "/v1/messages", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 422
    assert response.json()["problems"][0]["field"] == "text"


def test_a_body_over_the_limit_is_refused(server: Server) -> None:
    body = b'{"conversation": "a", "text": "' + b"a" * 1_000_000 + b'"}'
    for content in (body, iter([body])):
        response = server.request("POST", "/v1/messages", content=content, headers={"content-type": "application/json"})
        assert response.status_code == 413
        assert "1000000" in response.json()["error"]


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", "Basic {key}", "{key}", "Bearer {key}x"])
@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/messages"), ("GET", "/v1/conversations/a")])
def test_without_the_key_nothing_is_told(server: Server, header: str, method: str, path: str) -> None:
    headers = {"Authorization": header.format(key=server.api_key)}
    response = server.request(method, path, json={"conversation": "a", "text": "a"}, headers=headers)
    assert response.status_code == 401
    assert server.api_key not in response.text


def test_health_metrics_and_description(server: Server, conversation: str) -> None:
    server.ask(conversation, "hello")
    open_to_all = {"Authorization": ""}
    assert server.request("GET", "/healthz", headers=open_to_all).json() == {"status": "ok"}
    assert server.request("GET", "/readyz", headers=open_to_all).json() == {"ready": True, "missing": []}
    metrics = server.request("GET", "/metrics", headers=open_to_all)
    assert metrics.headers["content-type"].startswith("text/plain")
    assert "process_resident_memory_bytes" in metrics.text
    assert 'frontdesk_turns_total{channel="api",decision="' in metrics.text
    document = server.request("GET", "/openapi.json", headers=open_to_all).json()
    assert {"/v1/messages", "/v1/conversations/{conversation}", "/healthz", "/readyz"} <= set(document["paths"])


def test_the_telegram_webhook_is_closed_while_updates_are_polled(server: Server) -> None:
    assert server.request("POST", "/telegram/webhook", json={"update_id": 1}).status_code == 404


# -- starting

WRONG_SETTINGS: dict[str, tuple[dict[str, str], str]] = {
    "port is a word": ({"port": "http"}, "FRONTDESK_PORT"),
    "host unknown": ({"host": "203.0.113.7"}, "FRONTDESK_HOST"),
    "database unknown": ({"database_url": "mysql://127.0.0.1/x"}, "FRONTDESK_DATABASE_URL"),
    "redis unknown": ({"redis_url": "http://127.0.0.1"}, "FRONTDESK_REDIS_URL"),
    "no bot": ({"bot_dir": "/nowhere"}, "/nowhere"),
    "no token": ({"telegram_token": "hello"}, "FRONTDESK_TELEGRAM_TOKEN"),
    "no address": ({"telegram_token": "1:a", "telegram_mode": "webhook"}, "FRONTDESK_TELEGRAM_WEBHOOK_URL"),
}


@dataclass(frozen=True)
class Attempt:
    """A start that is to fail."""

    server: Server
    process: subprocess.Popen[str]

    def result(self) -> tuple[int, str, str]:
        """Exit code, stdout and stderr."""
        out, err = self.process.communicate(timeout=120)
        return self.process.returncode, out, err


@pytest.fixture(scope="module")
def attempts(shop_release: Path) -> Iterator[dict[str, Attempt]]:
    """A start with each of the wrong settings, all at once, as starting is slow."""
    started = {}
    for name, (settings, _) in WRONG_SETTINGS.items():
        server = Server(None, **settings)
        (server.data / "releases").mkdir(parents=True)
        (server.data / "releases" / "current").write_text("r20260101-000000-abcdef\n")
        process = subprocess.Popen(
            command("run"),
            cwd=server.folder,
            env=server.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started[name] = Attempt(server, process)
    yield started
    for attempt in started.values():
        attempt.process.kill()
        attempt.process.communicate()
        attempt.server.close()


@pytest.mark.parametrize("name", WRONG_SETTINGS)
def test_a_wrong_setting_is_named_in_one_line(attempts: dict[str, Attempt], name: str) -> None:
    _, named = WRONG_SETTINGS[name]
    code, out, err = attempts[name].result()
    assert code == 2, err
    assert out == ""
    complaint = [line for line in err.splitlines() if line.startswith("frontdesk: ")]
    assert len(complaint) == 1, err
    assert named in complaint[0]
    assert "Traceback" not in err
    assert not (attempts[name].server.data / "redis" / "valkey.sock").exists()


def test_a_port_in_use_is_told_at_once(server: Server) -> None:
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    with taken, Server(None, port=str(taken.getsockname()[1])) as other:
        refused = other.run("run")
    assert refused.returncode == 2
    assert refused.stderr.startswith("frontdesk: FRONTDESK_HOST, FRONTDESK_PORT: cannot listen on 127.0.0.1:")
    assert refused.stderr.count("\n") == 1


# -- releases


@pytest.fixture(scope="module")
def own_server(shop_release: Path) -> Iterator[Server]:
    """A server whose releases a test may change."""
    with Server(shop_release, telegram_mode="polling") as running:
        yield running


def release_of(server: Server) -> str:
    return str(server.ask(f"api:{uuid4().hex}", "hello")["release"])


def damage(server: Server, release: str) -> None:
    weights = server.store.path(release) / "heads.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)


def test_releases_change_under_a_running_server(own_server: Server, shop_release: Path) -> None:
    own_server.start()
    wait_until(lambda: "Web chat" in own_server.log, 60)
    # It does not answer yet, but the port is taken already.
    assert own_server.run("run").returncode == 2
    own_server.wait_ready()
    first, second = own_server.store.current(), own_server.add_release(shop_release)
    assert release_of(own_server) == first

    promoted = own_server.run("releases", "promote", second)
    assert promoted.returncode == 0, promoted.stderr
    wait_until(lambda: release_of(own_server) == second)

    third = own_server.add_release(shop_release)
    damage(own_server, third)
    refused = own_server.run("releases", "promote", third)
    assert refused.returncode == 2
    assert "heads.safetensors" in refused.stderr
    assert release_of(own_server) == second

    damage(own_server, second)
    own_server.restart()
    assert release_of(own_server) == first
    assert "release_refused" in own_server.log
    assert own_server.store.current() == second
