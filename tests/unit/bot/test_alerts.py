from __future__ import annotations

from pathlib import Path

import pytest

from bot.alerts import heard
from bot.bot_files import load_bot_files
from bot.domain.rules import AlertRule

ALERTS = load_bot_files(Path(__file__).parents[3] / "examples" / "shop").rules.escalation.alerts

CASES = {
    "to oneself": ("Honestly I want to die", "danger_to_self"),
    "to oneself, in Chinese": ("我真的不想活了", "danger_to_self"),
    "in capitals": ("I WILL KILL MYSELF", "danger_to_self"),
    "over a line break": ("I will kill\n  myself", "danger_to_self"),
    "of the goods": ("the lamp caught fire last night", "danger_to_others"),
    "of the goods, in Chinese": ("你们的台灯冒烟了", "danger_to_others"),
    "to sue": ("You'll hear from my lawyer!", "threat_to_sue"),
    "curly apostrophe": ("you\u2019ve lost me as a customer", "threat_to_leave"),
    "full-width digits": ("我要打１２３１５", "threat_to_sue"),
    "to leave": ("That was the last time I order here.", "threat_to_leave"),
    "the gravest of two": ("my lawyer says it exploded", "danger_to_others"),
    "plural": ("Do you sell lawyers' desks? The sue yous of this world...", ""),
    "calm": ("Where is my parcel?", ""),
    "calm, in Chinese": ("我的快递到哪里了", ""),
    "joined by a hyphen": ("exploded-view drawings", "danger_to_others"),
    "a longer word": ("suicidalities", ""),
    "nothing": ("", ""),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_what_is_heard(text, expected):
    alarm = heard(text, ALERTS)
    assert (alarm.rule.name if alarm else "") == expected


def test_signs_in_a_phrase_mean_nothing():
    rule = AlertRule("odd", ("a.b (c)",), "handover")
    assert heard("say a.b (c) now", [rule]) is not None
    assert heard("say axb (c) now", [rule]) is None
