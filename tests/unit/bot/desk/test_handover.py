from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from bot.desk.handover import LONGEST_REPLY, Desk
from bot.domain.conversation import Conversation, FormState, Status
from bot.domain.log_ports import ConversationLog
from bot.domain.messages import Reply
from bot.domain.ports import LiveState
from bot.domain.records import Agent, ConversationSummary, Escalation
from bot.domain.rules import Priority
from bot.errors import HeldError, InputError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CHAT = "web:anna"
MEI = Agent(1, "mei", "agent", "")
TOM = Agent(2, "tom", "agent", "")
ADA = Agent(3, "ada", "admin", "")
GONE = Agent(4, "gone", "agent", "", active=False)
NAMES = {agent.id: agent.name for agent in (MEI, TOM, ADA)}


class FakeClock:
    def now(self) -> datetime:
        return NOW


@dataclass
class FakeState:
    states: dict[str, Conversation] = field(default_factory=dict)
    mutex: Any = field(default_factory=threading.Lock)

    def load(self, conversation: str) -> Conversation | None:
        return self.states.get(conversation)

    def forget(self, conversation: str) -> None:
        assert self.mutex.locked()
        self.states.pop(conversation, None)

    @contextmanager
    def lock(self, conversation: str) -> Iterator[None]:
        with self.mutex:
            yield


@dataclass
class FakeLog:
    state: FakeState
    stored: Conversation = field(default_factory=lambda: Conversation(CHAT, lang="en", turns=3))
    live: Escalation | None = None
    opened: int = 0
    sent: list[tuple[str, str, int | None]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    trail: list[tuple[str, str]] = field(default_factory=list)
    noted: list[tuple[str, int, str]] = field(default_factory=list)
    buttons: list[str] = field(default_factory=list)

    def conversation(self, conversation: str) -> ConversationSummary | None:
        return ConversationSummary(CHAT, self.stored.status, "en", "", NOW) if conversation == CHAT else None

    def snapshot(self, conversation: str) -> tuple[Conversation, datetime]:
        return self.stored, NOW

    def store_state(self, state: Conversation) -> None:
        assert self.state.mutex.locked()
        self.stored = state

    def escalation(self, conversation: str) -> Escalation | None:
        return self.live

    def open_escalation(
        self, conversation: str, turn: int | None, reason: str, priority: Priority = Priority.NORMAL
    ) -> int:
        self.opened += self.live is None
        self.live = self.live or Escalation(self.opened, conversation, reason, "open", NOW, "", "", "", "en")
        self.live = replace(self.live, priority=max(priority, self.live.priority))
        return self.opened

    def set_escalation(self, conversation: str, status: str, agent: int | None) -> None:
        assert self.live is not None
        held = replace(self.live, status=status, agent=NAMES[agent or 0])
        self.live = None if status == "closed" else held

    def add_outgoing(
        self, conversation: str, reply: Reply, *, author: str, agent: int | None = None, key: str | None = None
    ) -> int | None:
        assert self.state.mutex.locked()
        if key in self.keys:
            return None
        self.keys |= {key} if key else set()
        self.sent.append((author, reply.text, agent))
        self.buttons = [button.value for button in reply.buttons]
        if author == "agent" and self.live is not None:
            self.live = replace(self.live, first_reply_at=NOW)
        return len(self.sent)

    def was_queued(self, conversation: str, key: str) -> bool:
        assert self.state.mutex.locked()
        return key in self.keys

    def agent_by_name(self, name: str) -> Agent | None:
        return {agent.name: agent for agent in (MEI, TOM, ADA, GONE)}.get(name)

    def add_note(self, conversation: str, agent: int, text: str) -> None:
        assert self.state.mutex.locked()
        self.noted.append((conversation, agent, text))

    def audit(self, who: str, action: str, detail: str) -> None:
        self.trail.append((who, action))


@pytest.fixture
def log() -> FakeLog:
    return FakeLog(FakeState())


def made_desk(log: FakeLog, unwanted: tuple[str, ...] = ()) -> Desk:
    return Desk(
        log=cast("ConversationLog", log),
        state=cast("LiveState", log.state),
        clock=FakeClock(),
        texts=lambda key, lang: f"{key}/{lang}",
        unwanted=unwanted,
    )


@pytest.fixture
def desk(log: FakeLog) -> Desk:
    return made_desk(log)


def test_taking_gives_the_conversation_to_the_agent_everywhere(desk: Desk, log: FakeLog) -> None:
    desk.take(CHAT, MEI)
    assert log.stored.status is Status.AGENT
    assert log.live is not None
    assert (log.live.status, log.live.agent) == ("held", "mei")
    assert log.sent == [("system", "agent_joined/en", None)]
    assert log.trail == [("mei", "take")]


def test_an_agent_s_card_number_is_hidden_too(desk: Desk, log: FakeLog) -> None:
    desk.reply(CHAT, MEI, "Was it 4111111111111111?")
    assert log.sent[-1][1] == "Was it ••••1111?"
    desk.note(CHAT, MEI, "It was 4111 1111 1111 1111.")
    assert log.noted[-1][2] == "It was ••••1111."


def test_an_agent_cannot_send_unwanted_words(log: FakeLog) -> None:
    desk = made_desk(log, unwanted=("you idiot", "白痴"))
    for text in ("Listen, You  Idiot!", "你是白痴吗"):
        with pytest.raises(InputError, match="unwanted words"):
            desk.reply(CHAT, MEI, text)
    desk.reply(CHAT, MEI, "you idiotically kind person")
    assert log.sent[-1][1] == "you idiotically kind person"


def test_taking_twice_changes_nothing(desk: Desk, log: FakeLog) -> None:
    desk.take(CHAT, MEI)
    desk.take(CHAT, MEI)
    assert len(log.sent) == len(log.trail) == 1


def test_taking_an_open_escalation_opens_no_second_one(desk: Desk, log: FakeLog) -> None:
    log.open_escalation(CHAT, 7, "strong anger")
    desk.take(CHAT, MEI)
    assert log.opened == 1


def test_a_take_that_was_cut_short_is_finished_by_the_next(desk: Desk, log: FakeLog) -> None:
    log.open_escalation(CHAT, 7, "strong anger")
    log.set_escalation(CHAT, "held", MEI.id)
    desk.take(CHAT, MEI)
    assert log.stored.status is Status.AGENT


def test_of_two_agents_who_click_at_once_one_is_told_who_was_faster(desk: Desk, log: FakeLog) -> None:
    barrier = threading.Barrier(2)

    def take(agent: Agent) -> str:
        barrier.wait()
        try:
            desk.take(CHAT, agent)
        except HeldError as error:
            return error.holder
        return ""

    with ThreadPoolExecutor(2) as pool:
        holders = list(pool.map(take, (MEI, TOM)))
    assert log.live is not None
    assert sorted(holders) == ["", log.live.agent]
    assert len(log.sent) == 1


def test_a_reply_takes_the_conversation_and_is_queued(desk: Desk, log: FakeLog) -> None:
    desk.reply(CHAT, MEI, "  Hello!\x00 ")
    assert log.sent == [("system", "agent_joined/en", None), ("agent", "Hello!", MEI.id)]
    assert log.trail == [("mei", "take"), ("mei", "reply")]


def test_a_reply_submitted_twice_is_sent_once(desk: Desk, log: FakeLog) -> None:
    desk.reply(CHAT, MEI, "Hello!", key="form-1")
    desk.reply(CHAT, MEI, "Hello!", key="form-1")
    assert [text for author, text, _ in log.sent if author == "agent"] == ["Hello!"]
    assert log.trail.count(("mei", "reply")) == 1


def test_a_reply_submitted_twice_takes_no_closed_conversation_again(desk: Desk, log: FakeLog) -> None:
    desk.reply(CHAT, MEI, "Hello!", key="form-1")
    desk.close(CHAT, MEI)
    said, trail = list(log.sent), list(log.trail)
    desk.reply(CHAT, MEI, "Hello!", key="form-1")
    assert (log.sent, log.trail, log.live, log.stored.status) == (said, trail, None, Status.CLOSED)


def test_only_the_holder_replies(desk: Desk, log: FakeLog) -> None:
    desk.take(CHAT, MEI)
    with pytest.raises(HeldError, match="mei holds this conversation"):
        desk.reply(CHAT, TOM, "Hello!")
    assert len(log.sent) == 1


@pytest.mark.parametrize("text", ["", "  \n", "\x00", "x" * (LONGEST_REPLY + 1)], ids=["empty", "blank", "nul", "long"])
def test_a_reply_of_the_wrong_length_is_refused_before_anything_happens(desk: Desk, log: FakeLog, text: str) -> None:
    with pytest.raises(InputError, match="1 to 4000 characters"):
        desk.reply(CHAT, MEI, text)
    assert log.sent == log.trail == []


@pytest.mark.parametrize(
    ("act", "status", "said"),
    [("hand_back", Status.BOT, "agent_left/en"), ("close", Status.CLOSED, "closed/en")],
    ids=["hand back", "close"],
)
def test_releasing_forgets_moods_misses_and_forms(
    desk: Desk, log: FakeLog, act: str, status: Status, said: str
) -> None:
    log.stored = replace(log.stored, moods=("anger",), misses=2, form=FormState("return"), announced=("holiday",))
    desk.take(CHAT, MEI)
    getattr(desk, act)(CHAT, MEI)
    assert log.stored == Conversation(CHAT, status=status, lang="en", turns=3, announced=("holiday",))
    assert log.live is None
    assert log.sent[-1][:2] == ("system", said)
    assert log.trail[-1] == ("mei", act)


@pytest.mark.parametrize("act", ["hand_back", "close"])
def test_another_agent_cannot_release_but_an_admin_can(desk: Desk, log: FakeLog, act: str) -> None:
    desk.take(CHAT, MEI)
    with pytest.raises(HeldError):
        getattr(desk, act)(CHAT, TOM)
    assert log.stored.status is Status.AGENT
    getattr(desk, act)(CHAT, ADA)
    assert log.live is None


@pytest.mark.parametrize("act", ["hand_back", "close"])
def test_releasing_twice_says_it_once(desk: Desk, log: FakeLog, act: str) -> None:
    desk.take(CHAT, MEI)
    getattr(desk, act)(CHAT, MEI)
    said = len(log.sent)
    getattr(desk, act)(CHAT, MEI)
    assert len(log.sent) == said


def test_a_live_state_that_lacks_a_turn_is_not_written_over_the_stored_one(desk: Desk, log: FakeLog) -> None:
    log.state.states[CHAT] = Conversation(CHAT, lang="zh", turns=2)
    desk.take(CHAT, MEI)
    assert log.stored == Conversation(CHAT, status=Status.AGENT, lang="en", turns=3)


def test_no_live_state_outlives_an_act(desk: Desk, log: FakeLog) -> None:
    log.state.states[CHAT] = replace(log.stored, form=FormState("return"))
    desk.take(CHAT, MEI)
    assert log.state.states == {}
    assert log.stored.form == FormState("return")


@pytest.mark.parametrize("act", ["take", "hand_back", "close"])
def test_an_unknown_conversation_is_named(desk: Desk, act: str) -> None:
    with pytest.raises(InputError, match="web:nobody"):
        getattr(desk, act)("web:nobody", MEI)


def test_a_conversation_is_passed_on_and_the_customer_notices_nothing(desk: Desk, log: FakeLog) -> None:
    desk.take(CHAT, MEI)
    desk.transfer(CHAT, MEI, "tom")
    assert log.live is not None
    assert log.live.agent == "tom"
    assert [author for author, _, _ in log.sent] == ["system"]
    assert log.trail[-1] == ("mei", "transfer")
    desk.reply(CHAT, TOM, "Hello!")
    with pytest.raises(HeldError):
        desk.reply(CHAT, MEI, "Hello!")


@pytest.mark.parametrize("name", ["nobody", "gone"])
def test_a_conversation_is_passed_on_to_active_agents_only(desk: Desk, log: FakeLog, name: str) -> None:
    desk.take(CHAT, MEI)
    with pytest.raises(InputError, match="no active agent"):
        desk.transfer(CHAT, MEI, name)
    assert log.live is not None
    assert log.live.agent == "mei"


def test_what_nobody_holds_cannot_be_passed_on(desk: Desk, log: FakeLog) -> None:
    log.open_escalation(CHAT, 7, "strong anger")
    with pytest.raises(InputError, match="take it over first"):
        desk.transfer(CHAT, MEI, "tom")


def test_only_the_holder_or_an_admin_passes_on(desk: Desk, log: FakeLog) -> None:
    desk.take(CHAT, MEI)
    with pytest.raises(HeldError):
        desk.transfer(CHAT, TOM, "tom")
    desk.transfer(CHAT, ADA, "tom")
    assert log.live is not None
    assert log.live.agent == "tom"


def test_a_note_is_kept_for_colleagues(desk: Desk, log: FakeLog) -> None:
    desk.note(CHAT, MEI, " Sent a replacement. ")
    assert log.noted == [(CHAT, MEI.id, "Sent a replacement.")]
    assert (log.sent, log.trail) == ([], [("mei", "note")])
    with pytest.raises(InputError, match="1 to 4000 characters"):
        desk.note(CHAT, MEI, " ")
    with pytest.raises(InputError, match="web:nobody"):
        desk.note("web:nobody", MEI, "hm")


@pytest.mark.parametrize(("helped", "asked"), [(True, True), (False, False)], ids=["answered", "not answered"])
def test_a_customer_who_was_helped_is_asked_for_a_rating(desk: Desk, log: FakeLog, helped: bool, asked: bool) -> None:
    desk.take(CHAT, MEI)
    if helped:
        desk.reply(CHAT, MEI, "Hello!")
    desk.close(CHAT, MEI)
    assert (log.sent[-1][1] == "rate/en") is asked
    assert log.buttons == ([f"rate:1:{stars}" for stars in range(1, 6)] if asked else [])
    assert log.sent[-2 if asked else -1][1] == "closed/en"


def test_handing_back_asks_for_no_rating(desk: Desk, log: FakeLog) -> None:
    desk.reply(CHAT, MEI, "Hello!")
    desk.hand_back(CHAT, MEI)
    assert log.sent[-1][1] == "agent_left/en"


def test_an_important_customer_is_seen_to_before_others(desk: Desk, log: FakeLog) -> None:
    desk.make_important(CHAT, MEI)
    assert log.stored.vip
    assert log.opened == 0
    log.open_escalation(CHAT, None, "asked")
    desk.make_important(CHAT, TOM)
    assert log.live is not None
    assert log.live.priority is Priority.HIGH
    desk.take(CHAT, MEI)
    desk.close(CHAT, MEI)
    assert log.stored.vip
    desk.make_usual(CHAT, TOM)
    assert not log.stored.vip
    assert [entry for entry in log.trail if "al" in entry[1] or "ant" in entry[1]] == [
        ("mei", "important"),
        ("tom", "usual"),
    ]


def test_a_block_outlasts_taking_and_closing_and_is_lifted(desk: Desk, log: FakeLog) -> None:
    desk.block(CHAT, MEI)
    desk.block(CHAT, TOM)
    desk.take(CHAT, MEI)
    desk.close(CHAT, MEI)
    assert log.stored.blocked
    desk.unblock(CHAT, TOM)
    assert not log.stored.blocked
    assert [entry for entry in log.trail if "block" in entry[1]] == [("mei", "block"), ("tom", "unblock")]
