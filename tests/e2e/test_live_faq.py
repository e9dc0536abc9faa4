"""Editing the knowledge base while two server processes answer from it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.e2e.server import Server

VISIBLE_SECONDS = 1.0
QUESTIONS = 1500
CLIENTS = 6
QUESTION = "How do I polish a moon lamp?"
PARAPHRASE = "what is the way to polish my moon lamp"


def entry(answer: str, **more: Any) -> dict[str, Any]:
    return {"question": QUESTION, "answer": answer, "lang": "en", "variants": ["moon lamp polishing"], **more}


@pytest.fixture(scope="module")
def pair(shop_release: Path) -> Iterator[list[Server]]:
    """Two processes over one data folder."""
    with Server(shop_release) as first, Server(data_dir=str(first.data)) as second:
        first.start().wait_ready()
        second.start().wait_ready()
        yield [first, second]


def asked(server: Server, text: str) -> dict[str, Any]:
    return server.ask(f"api-{uuid4().hex}", text)


def said(document: dict[str, Any]) -> str:
    return str(document["replies"][0]["text"])


def test_an_edit_reaches_both_processes_within_a_second_and_nobody_gets_a_wrong_answer(pair: list[Server]) -> None:
    first, _ = pair
    assert first.request("PUT", "/v1/faq/moon-lamp.en", json=entry("Old answer.")).status_code == 200
    time.sleep(VISIBLE_SECONDS)
    assert [said(asked(server, QUESTION)) for server in pair] == ["Old answer."] * 2
    edited_at: list[float] = []
    answers: list[tuple[float, float, str]] = []
    left = iter(range(QUESTIONS))
    counting = threading.Lock()

    def ask(number: int) -> None:
        with httpx.Client(timeout=60, trust_env=False) as client:
            while True:
                with counting:
                    if next(left, None) is None:
                        return
                server = pair[number % 2]
                began = time.monotonic()
                body = {"conversation": f"api-{uuid4().hex}", "text": QUESTION}
                headers = {"Authorization": f"Bearer {server.api_key}"}
                response = client.post(f"{server.url}/v1/messages", json=body, headers=headers)
                text = said(response.json()) if response.status_code == 200 else str(response.status_code)
                answers.append((began, time.monotonic(), text))

    def edit() -> None:
        while len(answers) < QUESTIONS // 3:
            time.sleep(0.02)
        assert first.request("PUT", "/v1/faq/moon-lamp.en", json=entry("New answer.")).status_code == 200
        edited_at.append(time.monotonic())

    with ThreadPoolExecutor(CLIENTS + 1) as pool:
        running = [pool.submit(ask, number) for number in range(CLIENTS)] + [pool.submit(edit)]
        for each in running:
            each.result()
    assert {text for *_, text in answers} == {"Old answer.", "New answer."}
    late = [text for began, _, text in answers if began > edited_at[0] + VISIBLE_SECONDS]
    assert set(late) == {"New answer."}
    assert len(answers) == QUESTIONS


def test_an_entry_is_added_found_disabled_and_restored(pair: list[Server]) -> None:
    first, second = pair
    answer = "<p>Use a <b>soft</b> cloth.</p><script>alert(1)</script>"
    added = first.request("PUT", "/v1/faq/moon-lamp.en", json=entry(answer)).json()
    assert added["answer"] == "Use a soft cloth."
    found = asked(first, PARAPHRASE)
    assert (found["decision"]["kind"], found["decision"]["faq"]) == ("faq", "moon-lamp.en")
    assert first.request("DELETE", "/v1/faq/moon-lamp.en").json()["answers"] is False
    time.sleep(VISIBLE_SECONDS)
    assert all(asked(server, PARAPHRASE)["decision"]["faq"] != "moon-lamp.en" for server in pair)
    restored = second.request("POST", "/v1/faq/moon-lamp.en/restore", json={"version": added["version"]})
    assert restored.json()["answers"] is True
    time.sleep(VISIBLE_SECONDS)
    assert [said(asked(server, QUESTION)) for server in pair] == ["Use a soft cloth."] * 2


def test_a_released_entry_is_edited_and_its_original_kept(pair: list[Server]) -> None:
    first, _ = pair
    path = "/v1/faq/dogs-in-store.en"
    original = first.request("GET", path).json()
    assert (original["version"], original["author"]) == (0, "release")
    fields = {name: original[name] for name in ("question", "lang", "variants", "tags")}
    edited = first.request("PUT", path, json={**fields, "answer": "Only on Mondays.", "version": 0})
    assert edited.json()["version"] == 2
    assert said(asked(first, original["question"])) == "Only on Mondays."
    again = first.request("PUT", path, json={**fields, "answer": "Never.", "version": 0})
    assert again.status_code == 409
    assert "is at version 2, you saw 0" in again.json()["error"]
    versions = first.request("GET", path).json()["versions"]
    assert [(version["version"], version["author"]) for version in versions] == [(1, "release"), (2, "api")]
    assert first.request("POST", f"{path}/restore", json={"version": 1}).json()["answer"] == original["answer"]
    assert said(asked(first, original["question"])) == original["answer"]


def test_an_entry_answers_within_its_schedule(pair: list[Server]) -> None:
    first, _ = pair
    begins = time.time() + 1.5
    schedule = {
        "valid_from": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(begins)) + f".{int(begins % 1 * 1000):03d}Z",
        "valid_until": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begins + 4)),
    }
    question = {"question": "When is the lantern night?", "answer": "Tonight.", "lang": "en"}
    stored = first.request("PUT", "/v1/faq/lantern-night.en", json={**question, **schedule}).json()
    assert stored["answers"] is False
    assert asked(first, question["question"])["decision"]["faq"] != "lantern-night.en"
    time.sleep(max(0.0, begins + 0.7 - time.time()))
    assert said(asked(first, question["question"])) == "Tonight."
    time.sleep(max(0.0, begins + 5 - time.time()))
    assert asked(first, question["question"])["decision"]["faq"] != "lantern-night.en"


def test_a_preview_shows_what_an_edit_would_change(pair: list[Server]) -> None:
    first, _ = pair
    text = "may I repaint the garden gnome myself"
    asked(first, text)
    draft = {"question": "Can I repaint the garden gnome?", "answer": "Yes.", "lang": "en"}
    effect = first.request("POST", "/v1/faq/preview?id=gnome.en", json=draft).json()
    assert text in [change["text"] for change in effect["gained"]]
    assert effect["lost"] == []
    assert effect["read"] > 0
    assert first.request("GET", "/v1/faq/gnome.en").status_code == 404


WRONG = {
    "no question": ({"question": " ", "answer": "x", "lang": "en"}, 422, "question"),
    "no answer": ({"question": "x", "lang": "en"}, 422, "answer"),
    "markup alone": ({"question": "x", "answer": "<br><br>", "lang": "en"}, 422, "nothing is left"),
    "too long": ({"question": "x", "answer": "word " * 5000, "lang": "en"}, 422, "at most 20000 characters"),
    "another language": ({"question": "x", "answer": "y", "lang": "fr"}, 422, "lang: expected one of en, zh"),
    "no time zone": ({"question": "x", "answer": "y", "lang": "en", "valid_from": "2026-01-01T00:00:00"}, 422, "valid"),
    "backwards": (
        {
            "question": "x",
            "answer": "y",
            "lang": "en",
            "valid_from": "2026-02-01T00:00:00Z",
            "valid_until": "2026-01-01T00:00:00Z",
        },
        422,
        "after valid_from",
    ),
    "an unknown field": ({"question": "x", "answer": "y", "lang": "en", "priority": 1}, 422, "priority"),
}


@pytest.mark.parametrize(("body", "status", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_entry_is_refused(pair: list[Server], body: dict[str, Any], status: int, message: str) -> None:
    response = pair[0].request("PUT", "/v1/faq/wrong.en", json=body)
    assert response.status_code == status
    assert message in response.text
    assert pair[0].request("GET", "/v1/faq/wrong.en").status_code == 404


def test_only_callers_with_the_key_edit(pair: list[Server]) -> None:
    for method, path in (
        ("GET", "/v1/faq"),
        ("PUT", "/v1/faq/x"),
        ("DELETE", "/v1/faq/x"),
        ("POST", "/v1/faq/preview"),
    ):
        assert pair[0].request(method, path, headers={"Authorization": "Bearer wrong"}).status_code == 401


def test_entries_are_listed_by_language_and_words(pair: list[Server]) -> None:
    found = pair[0].request("GET", "/v1/faq", params={"lang": "zh", "q": "狗", "limit": 5}).json()
    assert "dogs-in-store.zh" in [each["id"] for each in found["entries"]]
    assert {each["lang"] for each in found["entries"]} == {"zh"}
    assert len(found["entries"]) <= 5 <= pair[0].request("GET", "/v1/faq").json()["total"]


def test_edits_outlive_a_change_of_release(pair: list[Server], shop_release: Path) -> None:
    first, _ = pair
    assert first.request("PUT", "/v1/faq/moon-lamp.en", json=entry("Outlived.")).status_code == 200
    name = first.add_release(shop_release)
    first.store.promote(name)
    seen: set[str] = set()
    deadline = time.monotonic() + 30
    while asked(first, QUESTION)["release"] != name:
        assert time.monotonic() < deadline
        seen.add(said(asked(first, QUESTION)))
    assert {*seen, said(asked(first, QUESTION))} == {"Outlived."}
