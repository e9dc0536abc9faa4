"""The pages of the knowledge base: who may look, who may edit, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from bot.adapters.sql_log import SqlLog
from bot.domain.records import FaqVersion
from tests.integration.console.site import CHAT, EVIL, MovableClock, csrf_of, log_in, post, say

ENTRY = "/console/knowledge/entry?id=ret-1"
TYPED = {"question": "Do you sell umbrellas?", "answer": "No.", "spoken": "en", "enabled": "true"}


def latest(log: SqlLog) -> dict[str, FaqVersion]:
    return {version.entry.id: version for version in log.faq_latest()}


def test_the_list_is_searched_by_words_language_and_state(client: TestClient, log: SqlLog) -> None:
    both = client.get("/console/knowledge").text
    assert "How do I return an &lt;item&gt;?" in both
    assert "羊毛衫怎么洗？" in both
    for query, found in (
        ("q=days+within", "ret-1"),
        ("q=SEND+back", "ret-1"),
        ("spoken=zh", "wash.zh"),
        ("q=洗", "wash.zh"),
    ):
        page = client.get(f"/console/knowledge?{query}").text
        assert [name for name in ("ret-1", "wash.zh") if f"id={name}" in page] == [found]
    assert "No entry was found." in client.get("/console/knowledge?show=edited").text
    post(client, "knowledge/entry", id="wash.zh", version="0", question="怎么洗？", answer="手洗。", spoken="zh")
    assert "id=wash.zh" in client.get("/console/knowledge?show=edited").text
    assert "answers nobody now" in client.get("/console/knowledge?show=off").text


def test_a_long_list_has_pages(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.console.knowledge.ENTRIES_SHOWN", 1)
    assert "id=ret-1" in client.get("/console/knowledge").text
    assert "id=wash.zh" in client.get("/console/knowledge?page=2").text
    assert "id=wash.zh" in client.get("/console/knowledge?page=99").text


def test_an_entry_is_added_under_a_name_of_its_own(client: TestClient, log: SqlLog) -> None:
    assert post(client, "knowledge/entry", **TYPED) == (
        303,
        "/console/knowledge/entry?id=do-you-sell-umbrellas.en&done=saved",
    )
    assert post(client, "knowledge/entry", **TYPED)[1].endswith("id=do-you-sell-umbrellas-2.en&done=saved")
    assert post(client, "knowledge/entry", **TYPED | {"question": "有伞吗？", "spoken": "zh"})[0] == 303
    assert post(client, "knowledge/entry", **TYPED, id="umbrella.en")[0] == 303
    assert {name.partition(".")[2] for name in latest(log)} == {"en", "zh"}
    stored = latest(log)["umbrella.en"]
    assert (stored.author, stored.version, stored.entry.answer) == ("mei", 1, "No.")
    page = client.get("/console/knowledge/entry?id=umbrella.en&done=saved").text
    for words in ("Saved.", "answers customers now", "Entries that ask nearly the same", "羊毛衫怎么洗？"):
        assert words in page, words


def test_an_entry_is_edited_and_an_older_version_brought_back(client: TestClient, log: SqlLog) -> None:
    page = client.get(ENTRY).text
    for words in ('value="How do I return an &lt;item&gt;?"', "can I send it back", 'value="returns"', 'value="0"'):
        assert words in page, words
    edit = {
        "id": "ret-1",
        "question": "How do I return it?",
        "answer": "Within\r\n60 days.",
        "spoken": "en",
        "enabled": "true",
        "variants": "send back\r\n\r\n send back \r\nrefund",
        "tags": "returns，money, ",
    }
    assert post(client, "knowledge/entry", version="0", **edit)[0] == 303
    entry = latest(log)["ret-1"].entry
    assert (entry.answer, entry.variants, entry.tags) == (
        "Within\n60 days.",
        ("send back", "refund"),
        ("returns", "money"),
    )
    assert post(client, "knowledge/restore", id="ret-1", version="1")[0] == 303
    assert latest(log)["ret-1"].entry.answer == "Within 30 days."
    page = client.get(f"{ENTRY}&done=restored").text
    assert "The older version is back." in page
    assert page.count("Bring back</button>") == 2
    assert post(client, "knowledge/restore", id="ret-1", version="9")[0] == 404
    assert post(client, "knowledge/restore", id="gone", version="1")[0] == 404


def test_who_edits_what_somebody_else_has_edited_is_told_and_loses_nothing(client: TestClient, log: SqlLog) -> None:
    edit = {"id": "ret-1", "question": "Back?", "spoken": "en", "version": "0"}
    assert post(client, "knowledge/entry", answer="one", **edit)[0] == 303
    status, page = post(client, "knowledge/entry", answer="another", **edit)
    assert status == 409
    assert "Somebody else has edited this entry." in page
    assert ">another</textarea>" in page
    assert latest(log)["ret-1"].entry.answer == "one"


def test_a_schedule_is_kept(client: TestClient, log: SqlLog, clock: MovableClock) -> None:
    begins = clock.now() + timedelta(days=1)
    fields = TYPED | {"id": "sale.en", "valid_from": begins.isoformat(), "valid_until": "2026-12-24T18:00:00.000Z"}
    assert post(client, "knowledge/entry", **fields)[0] == 303
    stored = latest(log)["sale.en"]
    assert (stored.valid_from, stored.valid_until) == (begins, datetime(2026, 12, 24, 18, tzinfo=UTC))
    assert "scheduled" in client.get("/console/knowledge?show=off").text
    assert f'value="{begins.isoformat()}"' in client.get("/console/knowledge/entry?id=sale.en").text


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"question": ""}, "question: nothing is left of it"),
        ({"answer": "<script>x</script>"}, "answer: nothing is left of it"),
        ({"spoken": "fr"}, "lang: expected one of en, zh"),
        ({"id": "a b"}, "without spaces"),
        ({"id": "ret-1"}, "is taken"),
        ({"valid_from": "soon"}, "valid_from: expected a moment"),
        ({"valid_from": "2026-03-01T10:00"}, "with its time zone"),
        ({"valid_from": "2026-03-02T10:00Z", "valid_until": "2026-03-01T10:00Z"}, "after valid_from"),
    ],
)
def test_what_cannot_be_stored_is_said_and_stays_in_the_form(
    client: TestClient, log: SqlLog, wrong: dict[str, str], words: str
) -> None:
    status, page = post(client, "knowledge/entry", **TYPED | {"tags": "kept"} | wrong)
    assert status == 422
    assert words in page
    assert 'value="kept"' in page
    assert not latest(log)


def test_a_preview_tells_what_would_change_and_stores_nothing(
    client: TestClient, log: SqlLog, clock: MovableClock
) -> None:
    for text in ("can I get an umbrella", f"and rain {EVIL}"):
        say(log, clock, text)
    status, page = post(client, "knowledge/entry", do="preview", **TYPED)
    assert status == 200
    for words in ("Would now get this answer: 1", "(instead of ret-1)", "Would now have it offered: 1", "umbrella"):
        assert words in page, words
    assert "<script>alert" not in page
    assert not latest(log)


def test_an_agent_looks_and_an_admin_edits(browser: Callable[[], TestClient], log: SqlLog) -> None:
    tom = browser()
    log_in(tom, "tom")
    assert "New entry" not in tom.get("/console/knowledge").text
    page = tom.get(ENTRY).text
    assert "admins edit" in page
    assert 'value="save"' not in page
    assert tom.get("/console/knowledge/new").status_code == 403
    for path, fields in (("entry", TYPED), ("restore", {"id": "ret-1", "version": "0"})):
        assert post(tom, f"knowledge/{path}", **fields)[0] == 403
    assert not latest(log)


def test_strangers_and_foreign_forms_stay_outside(
    browser: Callable[[], TestClient], client: TestClient, log: SqlLog
) -> None:
    stranger = browser()
    for path in ("/console/knowledge", ENTRY, "/console/knowledge/new", "/console/knowledge/unanswered"):
        assert stranger.get(path).headers["location"] == "/console/login"
    for path in ("entry", "restore"):
        assert (
            client.post(f"/console/knowledge/{path}", data=TYPED | {"id": "ret-1", "version": "0"}).status_code == 403
        )
    assert not latest(log)


def test_what_is_not_there_is_said(client: TestClient, log: SqlLog) -> None:
    for gone in ("gone", ""):
        assert post(client, "knowledge/entry", **TYPED | {"id": gone, "version": "0"})[0] == 404
    assert not latest(log)
    assert client.get("/console/knowledge/entry?id=gone").status_code == 404
    assert client.get("/console/knowledge?show=other").status_code == 422


def test_questions_without_an_answer_are_listed(
    client: TestClient, browser: Callable[[], TestClient], log: SqlLog, clock: MovableClock
) -> None:
    assert "Every question of late had its answer." in client.get("/console/knowledge/unanswered").text
    turn = say(log, clock, f"do you sell umbrellas? {EVIL}")
    log.add_feedback(turn, -1)
    page = client.get("/console/knowledge/unanswered").text
    for words in (
        "do you sell umbrellas?",
        "unhelpful",
        f"id=telegram%3A1001#turn-{turn}",
        "knowledge/new?question=do%20",
    ):
        assert words in page, words
    assert "<script>alert" not in page
    tom = browser()
    log_in(tom, "tom")
    assert "knowledge/new" not in tom.get("/console/knowledge/unanswered").text


def test_a_question_leads_from_the_conversation_into_the_form(
    client: TestClient, log: SqlLog, clock: MovableClock
) -> None:
    say(log, clock, "do you sell umbrellas?")
    link = "/console/knowledge/new?question=do%20you%20sell%20umbrellas%3F&amp;spoken=en"
    assert f'href="{link}"' in client.get(f"/console/conversation?id={CHAT}").text.replace("&spoken", "&amp;spoken")
    page = client.get(link.replace("&amp;", "&")).text
    assert 'value="do you sell umbrellas?"' in page
    assert csrf_of(page)
