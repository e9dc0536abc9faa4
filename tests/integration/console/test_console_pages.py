"""The console's pages: the queue, a conversation, what agents do there."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from bot.adapters.sql_log import SqlLog
from bot.domain.conversation import Conversation, Status
from bot.domain.messages import IncomingMessage, Reply
from bot.domain.records import TurnRecord
from bot.domain.rules import Priority
from bot.errors import LogUnavailableError
from tests.integration.console.site import CHAT, EVIL, MovableClock, log_in, post, say


def test_the_queue_tells_who_waits_and_why(client: TestClient, log: SqlLog, clock: MovableClock) -> None:
    say(log, clock, "Where is my parcel?!")
    clock.time += timedelta(minutes=7)
    page = client.get("/console").text
    for words in ("Anna", "Where is my parcel?!", "strong anger", "anger", "7 min", 'Open <b class="count">1</b>'):
        assert words in page, words
    assert "Where is my parcel" not in client.get("/console?show=held").text
    assert "Where is my parcel" in client.get("/console?show=all").text
    assert client.get("/console?show=other").status_code == 422


def test_a_part_that_did_not_change_is_not_sent_again(client: TestClient, log: SqlLog, clock: MovableClock) -> None:
    say(log, clock, "hello")
    path = f"/console/conversation/part?id={CHAT}"
    first = client.get(path)
    assert client.get(path, headers={"if-none-match": first.headers["etag"]}).status_code == 304
    say(log, clock, "are you there?")
    second = client.get(path, headers={"if-none-match": first.headers["etag"]})
    assert second.status_code == 200
    assert "are you there?" in second.text


def test_the_summary_has_the_customers_own_words(client: TestClient, log: SqlLog, clock: MovableClock) -> None:
    say(log, clock, "hello")
    say(log, clock, f"My parcel from Tuesday never came {EVIL}")
    page = client.get(f"/console/conversation?id={CHAT}").text
    assert '<dt>Said</dt><dd><q dir="auto">My parcel from Tuesday never came &lt;script&gt;' in page


def test_the_conversation_shows_the_whole_trace(client: TestClient, log: SqlLog, clock: MovableClock) -> None:
    turn = say(log, clock, "hello")
    log.add_feedback(turn, -1)
    page = client.get(f"/console/conversation?id={CHAT}").text
    for words in ("refund 93%", "handover: strong anger", "2%", "How do I return it?", "71%", "release-7", "unhelpful"):
        assert words in page, words
    assert '<option value="ret-1">How do I return an &lt;item&gt;?</option>' in page
    assert client.get("/console/conversation?id=web:nobody").status_code == 404


@pytest.mark.parametrize("path", ["", "?show=all", f"/conversation?id={CHAT}", "/queue/part"])
def test_what_customers_write_is_escaped(client: TestClient, log: SqlLog, clock: MovableClock, path: str) -> None:
    say(log, clock, EVIL)
    page = client.get(f"/console{path}").text
    assert "&lt;script&gt;alert(" in page
    assert "<script>alert" not in page
    assert "<img src=x" not in page


def test_an_agent_takes_replies_and_closes(client: TestClient, log: SqlLog, clock: MovableClock) -> None:
    say(log, clock, "hello")
    assert post(client, "conversation/take", id=CHAT) == (303, "/console/conversation?id=telegram%3A1001&done=take")
    assert post(client, "conversation/reply", id=CHAT, text="I am Mei.", key="once")[0] == 303
    assert post(client, "conversation/reply", id=CHAT, text="I am Mei.", key="once")[0] == 303
    assert "held by mei" in client.get(f"/console/conversation?id={CHAT}").text
    assert post(client, "conversation/close", id=CHAT)[0] == 303
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
    say(log, clock, "hello")
    post(client, "conversation/take", id=CHAT)
    tom = browser()
    log_in(tom, "tom")
    status, page = post(tom, "conversation/reply", id=CHAT, text="Hello <from> Tom")
    assert status == 409
    assert "mei holds this conversation already" in page
    assert ">Hello &lt;from&gt; Tom</textarea>" in page
    assert post(client, "conversation/hand-back", id=CHAT)[0] == 303
    assert post(tom, "conversation/take", id=CHAT)[0] == 303


def test_corrections_are_stored_and_shown(client: TestClient, log: SqlLog, clock: MovableClock) -> None:
    turn = say(log, clock, "hello")
    status, location = post(client, "correct", turn=str(turn), intent="track_order", emotion="", faq=" ret-1 ")
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
    turn = say(log, clock, "hello")
    status, page = post(client, "correct", turn=str(turn), intent="track_order", faq=EVIL)
    assert status == 409
    assert "is not known" in page
    assert "<script>alert" not in page
    assert log.corrections(turn) == []
    assert post(client, "correct", turn="999", intent="refund")[0] == 404
    for number in ("many", "0", str(2**31), str(10**30)):
        assert post(client, "correct", turn=number, intent="refund")[0] == 422


def test_the_audit_trail_is_for_admins(client: TestClient, browser: Callable[[], TestClient]) -> None:
    page = client.get("/console/audit")
    assert page.status_code == 200
    assert "log_in" in page.text
    tom = browser()
    log_in(tom, "tom")
    assert tom.get("/console/audit").status_code == 403


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
    say(log, clock, "hello")
    for path in ("", f"/conversation?id={CHAT}", "/audit"):
        page = client.get(f"/console{path}").text
        assert not re.search(r"<script(?! src=\"/console/static/)|<style|\sstyle=|\son[a-z]+=|https?://", page), path


def test_a_conversation_is_summed_up_noted_and_passed_on(client: TestClient, log: SqlLog, clock: MovableClock) -> None:
    say(log, clock, "this is the second time!")
    page = f"/console/conversation?id={CHAT}"
    assert "Pass on" not in client.get(page).text
    post(client, "conversation/take", id=CHAT)
    status, _ = post(client, "conversation/note", id=CHAT, text="a <b>good</b> customer")
    html = client.get(page).text
    assert status == 303
    assert "a &lt;b&gt;good&lt;/b&gt; customer" in html
    assert 'emotion-anger">anger' in html
    assert "<option>tom</option>" in html
    assert post(client, "conversation/transfer", id=CHAT, to="tom")[0] == 303
    escalation = log.escalation(CHAT)
    assert escalation is not None
    assert escalation.agent == "tom"
    assert post(client, "conversation/transfer", id=CHAT, to="nobody")[0] == 409


def test_the_queue_shows_urgency_and_rating(client: TestClient, log: SqlLog, clock: MovableClock) -> None:
    say(log, clock, "help")
    message = IncomingMessage("m7", CHAT, "it burns", clock.now())
    state = Conversation(CHAT, Status.WAITING, "en", turns=2)
    urgent = TurnRecord(message, clock.now(), (), {}, state, "danger: fire", Priority.URGENT)
    log.record_turn(urgent)
    html = client.get("/console").text
    assert 'priority-urgent">urgent' in html
    assert "danger: fire; strong anger" in html


def test_a_customer_is_blocked_and_let_back_in(client: TestClient, log: SqlLog, clock: MovableClock) -> None:
    say(log, clock, "spam")
    page = f"/console/conversation?id={CHAT}"
    assert post(client, "conversation/block", id=CHAT)[0] == 303
    assert 'priority-urgent">blocked' in client.get(page).text
    assert post(client, "conversation/unblock", id=CHAT)[0] == 303
    assert 'priority-urgent">blocked' not in client.get(page).text


def test_a_customer_is_made_important(client: TestClient, log: SqlLog, clock: MovableClock) -> None:
    say(log, clock, "where is it?")
    page = f"/console/conversation?id={CHAT}"
    assert "important customer" not in client.get(page).text
    assert post(client, "conversation/important", id=CHAT)[0] == 303
    shown = client.get(page).text
    assert 'priority-high">important customer' in shown
    assert 'priority-high">important</span>' in shown
    assert post(client, "conversation/close", id=CHAT)[0] == 303
    assert 'priority-high">important customer' in client.get(page).text
    assert post(client, "conversation/usual", id=CHAT)[0] == 303
    assert "important customer" not in client.get(page).text


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
    assert post(client, "presence", away="true", back="/console/service") == (303, "/console/service")
    assert presence()[1]
    assert "Away" in client.get("/console").text
    assert post(client, "presence", away="false", back="https://evil.example/") == (303, "/console")
    assert not presence()[1]


def test_an_agent_sees_their_own_conversations(client: TestClient, log: SqlLog, clock: MovableClock) -> None:
    say(log, clock, "where is it?")
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


def test_an_agents_own_conversations_are_found_among_many(
    client: TestClient, log: SqlLog, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.console.pages.ROWS_SHOWN", 1)
    say(log, clock, "where is it?")
    mei, tom = log.agent_by_name("mei"), log.agent_by_name("tom")
    assert mei is not None
    assert tom is not None
    for conversation, agent in (("web:busy", tom), (CHAT, mei)):
        log.open_escalation(conversation, None, "asked", Priority.URGENT if agent is tom else Priority.NORMAL)
        log.set_escalation(conversation, "held", agent.id)
    assert "where is it?" in client.get("/console?show=mine").text


def test_the_service_is_measured_and_what_is_overdue_is_marked(
    client: TestClient, log: SqlLog, clock: MovableClock
) -> None:
    say(log, clock, "where is it?")
    clock.time += timedelta(minutes=5)
    assert "overdue" not in client.get("/console/queue/part").text
    clock.time += timedelta(minutes=1)
    assert '<span class="chip overdue">overdue</span>' in client.get("/console/queue/part").text
    assert post(client, "conversation/reply", id=CHAT, text="Here")[0] == 303
    row = re.search(r"<tr><td>Last 7 days</td>(.*?)</tr>", client.get("/console/service").text)
    assert row is not None
    assert re.findall(r"<td>(.*?)</td>", row[1]) == ["1", "0%", "6 min", "–", "–"]
    clock.time += timedelta(days=8)
    log_in(client, "mei")
    assert re.findall(r"Last (?:7|30) days</td><td>(\d)</td>", client.get("/console/service").text) == ["0", "1"]


def test_the_service_shows_day_by_day_how_it_went(client: TestClient, log: SqlLog, clock: MovableClock) -> None:
    assert "Day by day" not in client.get("/console/service").text
    log.add_feedback(say(log, clock, "where is it?"), -1)
    page = client.get("/console/service").text
    assert "messages that were read as anger" in page
    row = re.search(r"<tr><td>2026-03-01</td>(.*?)</tr>", page)
    assert row is not None
    assert re.findall(r"<td>(.*?)</td>", row[1]) == ["1", "1", "0%", "1"]
    assert "2026-03-01" not in client.get("/console/service/part").text


def test_what_is_not_delivered_is_shown(client: TestClient, log: SqlLog, clock: MovableClock) -> None:
    assert "Not delivered" not in client.get("/console/service").text
    notice = log.add_outgoing("telegram:-1007", Reply(f"Urgent {EVIL}", "en"), author="system")
    reply = log.add_outgoing(CHAT, Reply("Hello", "en"), author="agent")
    assert notice is not None
    assert reply is not None
    log.mark_failed(notice, "Forbidden: the bot was kicked", None)
    for _ in range(3):
        log.mark_failed(reply, "Bad Gateway", clock.now())
    page = client.get("/console/service").text
    rows = page[page.index('id="undelivered"') :]
    for words in ("not delivered</b> Forbidden: the bot was kicked", "tried 3 times</b> Bad Gateway", "Hello"):
        assert words in rows, words
    assert "<script>alert" not in page
    for conversation in ("telegram:-1007", CHAT):
        assert f'href="/console/conversation?id={quote(conversation)}"' in rows
        assert client.get(f"/console/conversation?id={conversation}").status_code == 200


def test_a_notice_leads_to_its_conversation(client: TestClient, log: SqlLog, clock: MovableClock) -> None:
    say(log, clock, "where is it?")
    number = log.escalations()[0].id
    answer = client.get(f"/console/escalation?id={number}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/conversation?id=telegram%3A1001")
    assert client.get("/console/escalation?id=99").status_code == 404


@pytest.mark.parametrize("number", ["0", str(2**31), "1" + "0" * 30, "x"])
@pytest.mark.parametrize("path", ["escalation?id={}", "media/{}"])
def test_a_number_that_no_row_has_is_refused(client: TestClient, path: str, number: str) -> None:
    assert client.get(f"/console/{path.format(number)}").status_code == 422
