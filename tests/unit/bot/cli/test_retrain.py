from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from bot.adapters.sql_log import open_log
from bot.bootstrap import SystemClock
from bot.bot_files import load_bot_files
from bot.cli import retrain as subject
from bot.cli.retrain import followed_from_reading, read_turns
from bot.cli.retrain_schedule import ScheduledRuns, follow_schedule
from bot.dialogue.button_values import short_value
from bot.dialogue.policy import AGREED_TO_SEVERAL, decide
from bot.domain.conversation import Conversation, FormState
from bot.domain.messages import ContentKind, IncomingMessage, Reply
from bot.domain.records import TurnRecord
from bot.errors import InputError, SettingsError
from bot.settings import Settings
from nlu.types import Distribution, Score, Understanding
from retrieval.types import FaqEntry, Hit, HitThresholds
from training.logged import Gathered
from training.retrain_report import RetrainReport, Status

SHOP = Path(__file__).parents[4] / "examples" / "shop"
RULES = load_bot_files(SHOP).rules
START = Conversation("web:1", lang="en")
ASKING = Conversation("web:1", lang="en", form=FormState("order", {}, "order_number", 0, "order_status"))
OFFERED = Conversation("web:1", lang="en", options=("faq:parking",))
PARKING = Hit(FaqEntry("parking", "Where can I park?", "Behind the shop."), "Where can I park?", 0.95, 0.95)


@pytest.mark.parametrize(
    ("text", "intent", "confidence", "before", "hits", "followed"),
    [
        ("how late are you open", "store_hours", 0.95, START, [], True),
        ("where is my order", "order_status", 0.95, START, [], True),
        ("can I leave my van there", "store_hours", 0.2, START, [PARKING], True),
        ("opening times and parking", "store_hours", 0.8, START, [PARKING], True),
        ("FD20481937", "order_status", 0.9, ASKING, [], False),
        ("yes", "affirm", 0.9, OFFERED, [], False),
        ("/help", "store_hours", 0.9, START, [], False),
    ],
    ids=["template", "form begun", "FAQ", "FAQ more specific", "form answered", "offer taken", "command"],
)
def test_whether_an_answer_followed_from_the_words(
    text: str, intent: str, confidence: float, before: Conversation, hits: list[Hit], followed: bool
) -> None:
    heads = {"intent": Distribution((Score(intent, confidence), Score("jobs", 0.01)))}
    reading = Understanding(text, "en", heads, (), 0.0, np.zeros(3, dtype=np.float32), "r")
    decision = decide(reading, before, hits, HitThresholds(0.7, 0.3), RULES)
    document = {"reason": decision.reason, "intent": decision.intent, "faq": decision.faq}
    assert followed_from_reading(document, intent) is followed, decision.reason


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, bot_dir=SHOP, _env_file=None)


def log_turn(
    settings: Settings,
    text: str,
    *,
    reason: str,
    feedback: int = 0,
    intent: str = "",
    kind: ContentKind = ContentKind.TEXT,
) -> None:
    log = open_log(settings.database, SystemClock())
    now = datetime.now(UTC)
    message = IncomingMessage(text, "web:1", text, now, kind)
    understanding = {"lang": "en", "intent": {"label": "store_hours", "confidence": 0.9}}
    decision = {"kind": "template", "reason": reason, "intent": "store_hours", "faq": ""}
    document = {"replies": [], "decision": decision, "understanding": understanding, "hits": [], "release": "r"}
    log.accept(message)
    turn = log.record_turn(TurnRecord(message, now, (Reply("ok", "en"),), document, START))
    if feedback:
        log.add_feedback(turn, feedback)
    if intent:
        agent = log.agent_by_name("ann")
        log.add_correction(turn, "intent", intent, agent.id if agent else log.add_agent("ann", "x", "agent"))
    log.close()


def test_reads_the_log(settings: Settings) -> None:
    log_turn(settings, "open late?", reason="intent store_hours (0.90)", feedback=1)
    log_turn(settings, "the second one", reason="the customer chose store_hours", feedback=1)
    log_turn(settings, "where is it", reason="intent store_hours (0.90)", intent="order_status")
    log_turn(settings, "Bo +49 30 1234", reason="a contact", feedback=1, kind=ContentKind.OTHER)
    turns = read_turns(settings)
    assert [(turn.text, turn.by_reading, dict(turn.corrections)) for turn in turns] == [
        ("open late?", True, {}),
        ("the second one", False, {}),
        ("where is it", False, {"intent": "order_status"}),
    ]


LOST = ("where can I leave it", "two intents are close")
SEVERAL = ("faq:parking", "intent:jobs")
LONG_ID = f"faq:{'停车' * 20}"
CHOICES = {
    "an option of the question": (*LOST, ("faq:parking",), "faq:parking", "faq:parking"),
    "something else": (*LOST, ("faq:parking",), "faq:jobs", ""),
    "an option with a long id": (*LOST, (LONG_ID, "faq:parking"), short_value(LONG_ID), LONG_ID),
    "after a mere yes": ("yes", AGREED_TO_SEVERAL, SEVERAL, "faq:parking", ""),
}


@pytest.mark.parametrize(("text", "reason", "options", "tapped", "chosen"), CHOICES.values(), ids=CHOICES)
def test_a_tap_says_what_the_words_before_meant(
    settings: Settings, text: str, reason: str, options: tuple[str, ...], tapped: str, chosen: str
) -> None:
    asked_back = {"kind": "clarify", "reason": reason, "intent": "", "faq": "", "options": list(options)}
    answered = {"kind": "faq", "reason": "the customer chose it", "intent": "", "faq": "parking"}
    log_conversations(
        settings,
        ("web:1", text, ContentKind.TEXT, asked_back),
        ("web:2", "unrelated", ContentKind.TEXT, answered),
        ("web:1", tapped, ContentKind.BUTTON, answered),
        ("web:1", tapped, ContentKind.BUTTON, answered),
    )
    assert [turn.chosen for turn in read_turns(settings)] == [chosen, "", "", ""]


ANSWERS = {
    "the yes button of the only option": ("yes:", ("faq:parking",), "faq:parking"),
    "the yes button of several": ("yes:", SEVERAL, ""),
    "the no button": ("no:", ("faq:parking",), ""),
    "yes to the only option": ("yes please", ("faq:parking",), "faq:parking"),
    "the number of an intent": ("2", SEVERAL, "intent:jobs"),
    "yes to several": ("yes", SEVERAL, ""),
    "no": ("no", ("faq:parking",), ""),
    "something else": ("are you open on sunday?", ("faq:parking",), ""),
}


@pytest.mark.parametrize(("said", "options", "chosen"), ANSWERS.values(), ids=ANSWERS)
def test_an_offer_that_was_taken_says_what_the_words_before_meant(
    settings: Settings, said: str, options: tuple[str, ...], chosen: str
) -> None:
    offered = Conversation("web:1", lang="en", options=options)
    intent = {"yes please": "affirm", "no": "deny"}.get(said, "store_hours")
    heads = {"intent": Distribution((Score(intent, 0.95), Score("jobs", 0.01)))}
    reading = Understanding(said, "en", heads, (), 0.0, np.zeros(3, dtype=np.float32), "r")
    kind = ContentKind.BUTTON if said.endswith(":") else ContentKind.TEXT
    decision = decide(reading, offered, [], HitThresholds(0.7, 0.3), RULES, kind)
    answered = {"kind": decision.kind.value, "reason": decision.reason, "intent": "", "faq": decision.faq}
    asked_back = {"kind": "clarify", "reason": LOST[1], "intent": "", "faq": "", "options": list(options)}
    log_conversations(settings, ("web:1", LOST[0], ContentKind.TEXT, asked_back), ("web:1", said, kind, answered))
    assert read_turns(settings)[0].chosen == chosen, decision.reason


def log_conversations(settings: Settings, *turns: tuple[str, str, ContentKind, dict[str, Any]]) -> None:
    log, now = open_log(settings.database, SystemClock()), datetime.now(UTC)
    for conversation, said, kind, decision in turns:
        message = IncomingMessage(uuid.uuid4().hex, conversation, said, now, kind=kind)
        document = {"replies": [], "decision": decision, "understanding": None, "hits": [], "release": "r"}
        log.accept(message)
        log.record_turn(TurnRecord(message, now, (Reply("ok", "en"),), document, Conversation(conversation)))
    log.close()


@pytest.fixture
def app(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    monkeypatch.setattr(subject, "read_settings", lambda: settings)
    made = typer.Typer()
    made.callback()(lambda: None)
    subject.add_commands(made)
    return made


def test_dry_run_shows_what_would_be_used(app: typer.Typer, settings: Settings) -> None:
    log_turn(settings, "whats up with parcel FD20481937", reason="", intent="order_status")
    shown = CliRunner().invoke(app, ["retrain", "--dry-run", "--json"])
    document = json.loads(shown.stdout)
    assert (shown.exit_code, document["status"], document["taken"]) == (0, "preview", {"correction": 1})
    assert document["examples"][0]["text"] == "whats up with parcel FD00000000"
    plain = CliRunner().invoke(app, ["retrain", "--dry-run"])
    assert '"whats up with parcel FD00000000" is intent order_status' in plain.stdout


@pytest.mark.parametrize(
    ("status", "code"), [(Status.PROMOTED, 0), (Status.NOTHING_NEW, 0), (Status.REFUSED, 1), (Status.PREVIEW, 0)]
)
def test_exit_codes(app: typer.Typer, monkeypatch: pytest.MonkeyPatch, status: Status, code: int) -> None:
    told = RetrainReport(status, Gathered(), "m", "r1", "r2", ("It is so.",))
    monkeypatch.setattr(subject, "_retrain", lambda *_, **__: told)
    shown = CliRunner().invoke(app, ["retrain"])
    assert shown.exit_code == code
    assert "- It is so." in shown.stdout


def test_a_second_retraining_is_kept_out(settings: Settings) -> None:
    with (
        subject._alone(settings.data_dir),
        pytest.raises(InputError, match="another retraining is running"),
        subject._alone(settings.data_dir),
    ):
        raise AssertionError
    with subject._alone(settings.data_dir):
        assert (settings.data_dir / "retrain").is_dir()


def test_the_schedule_has_to_be_set(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="FRONTDESK_RETRAIN_SCHEDULE"):
        follow_schedule(settings)


@pytest.mark.parametrize(
    "code",
    [
        'print(\'{"status": "promoted", "candidate": "r2"}\')',
        'import sys; print(\'{"status": "refused", "candidate": null}\'); sys.exit(1)',
        "import sys; sys.exit(2)",
        "print('[]')",
    ],
    ids=["promoted", "refused", "failed", "strange"],
)
def test_a_run_is_survived_however_it_ends(code: str) -> None:
    runs = ScheduledRuns((sys.executable, "-c", code))
    runs.run()
    assert not runs.wait(0)


def test_stop_ends_a_run_and_the_waiting_at_once() -> None:
    runs = ScheduledRuns((sys.executable, "-c", "import time; time.sleep(60)"))
    threading.Timer(0.5, runs.stop).start()
    begun = time.monotonic()
    runs.run()
    assert runs.wait(60)
    assert time.monotonic() - begun < 8


def test_stopped_runs_do_not_begin(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    runs = ScheduledRuns((sys.executable, "-c", f"open({str(mark)!r}, 'w')"))
    runs.stop()
    runs.run()
    assert not mark.exists()


def test_sigterm_ends_the_schedule(tmp_path: Path) -> None:
    code = """
import os, signal, threading, time
from bot.cli.retrain_schedule import follow_schedule
from bot.settings import read_settings

def end():
    while signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=end, daemon=True).start()
follow_schedule(read_settings())
print("ended in good order")
"""
    schedule = {"FRONTDESK_DATA_DIR": str(tmp_path), "FRONTDESK_RETRAIN_SCHEDULE": "0 0 1 1 *"}
    root = Path(__file__).parents[4]
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, cwd=root, env=os.environ | schedule, capture_output=True, timeout=60, check=True)
    assert ended.stdout == b"ended in good order\n"
