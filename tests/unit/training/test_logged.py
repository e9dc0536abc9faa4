from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlu.examples import Example
from retrieval.types import FaqEntry, FaqQuery
from training.logged import FAQ, Gathered, Known, LoggedTurn, Source, gather, text_key

BASE = [
    Example("where is my order", {"intent": "order_status"}),
    Example("Has FD20481937 shipped?", {"intent": "order_status"}),
    Example("bye for now", {"intent": "goodbye"}),
    Example("what time do you close", {"intent": "store_hours"}),
    Example("this is outrageous", {"emotion": "anger"}),
    Example("lovely, ta", {"emotion": "joy"}),
]
FAQ_ENTRIES = [
    FaqEntry("gift-note.en", "Can I add a note?", "Yes.", "en", ("put a card in the box",)),
    FaqEntry("gift-note.zh", "可以附上留言吗？", "可以。", "zh"),
    FaqEntry("parking.en", "Where can I park?", "Behind the shop.", "en"),
]
TEST = [Example("any news of my parcel", {"intent": "order_status"}), Example("so long", {"intent": "goodbye"})]
QUERIES = [FaqQuery("is there a car park", ("parking.en",))]
KNOWN = Known(BASE, FAQ_ENTRIES, TEST, QUERIES)

ASKED = LoggedTurn(1, "hows my stuff doing", "en", "store_hours", "joy", "template")


def corrected(text: str, turn: int = 1, **fields: str) -> LoggedTurn:
    return replace(ASKED, text=text, turn=turn, corrections=fields)


def liked(text: str, intent: str = "store_hours", turn: int = 1, **fields: object) -> LoggedTurn:
    return replace(ASKED, text=text, intent=intent, turn=turn, feedback=1, **fields)


def told(gathered: Gathered) -> list[tuple[str, str, str, str]]:
    return [(claim.text, claim.head, claim.label, claim.source.value) for claim in gathered.claims]


ASKED_BACK = LoggedTurn(1, "hows my stuff doing", "en", decision="clarify", by_reading=False)

TEACHES = {
    "intent": (corrected("hows my stuff doing", intent="order_status"), "intent", "order_status", "correction"),
    "emotion": (corrected("hows my stuff doing", emotion="anger"), "emotion", "anger", "correction"),
    "faq": (corrected("hows my stuff doing", faq="parking.en"), FAQ, "parking.en", "correction"),
    "confirmed intent": (liked("hows my stuff doing"), "intent", "store_hours", "confirmed"),
    "confirmed form": (liked("hows my stuff doing", decision="form"), "intent", "store_hours", "confirmed"),
    "confirmed faq": (liked("hows my stuff doing", decision="faq", faq="parking.en"), FAQ, "parking.en", "confirmed"),
    "chosen faq": (replace(ASKED_BACK, chosen="faq:parking.en"), FAQ, "parking.en", "confirmed"),
    "chosen intent": (replace(ASKED_BACK, chosen="intent:store_hours"), "intent", "store_hours", "confirmed"),
    "corrected in spite of a choice": (
        replace(corrected("hows my stuff doing", intent="goodbye"), decision="clarify", chosen="faq:parking.en"),
        "intent",
        "goodbye",
        "correction",
    ),
    "correction in spite of dislike": (
        replace(corrected("hows my stuff doing", intent="goodbye"), feedback=-1),
        "intent",
        "goodbye",
        "correction",
    ),
}


@pytest.mark.parametrize(("turn", "head", "label", "source"), TEACHES.values(), ids=TEACHES)
def test_what_a_turn_teaches(turn: LoggedTurn, head: str, label: str, source: str) -> None:
    assert told(gather([turn], KNOWN)) == [("hows my stuff doing", head, label, source)]


DROPPED = {
    "nothing said": (ASKED, "neither corrected nor confirmed"),
    "disliked": (replace(ASKED, feedback=-1), "neither corrected nor confirmed"),
    "liked small talk": (liked("hello there", decision="smalltalk"), "neither corrected nor confirmed"),
    "asked back, nothing chosen": (ASKED_BACK, "neither corrected nor confirmed"),
    "a person chosen": (replace(ASKED_BACK, chosen="human:"), "neither corrected nor confirmed"),
    "liked clarifying question": (liked("hm", decision="clarify"), "neither corrected nor confirmed"),
    "liked answer to a form's question": (liked("12 Rose Street", by_reading=False), "neither corrected nor confirmed"),
    "empty": (corrected(" \u200b ", intent="goodbye"), "empty"),
    "button": (replace(corrected("gift card", intent="goodbye"), kind="button"), "a button"),
    "typed button value": (corrected("intent:goodbye", intent="goodbye"), "a button"),
    "typed yes to a question": (corrected("yes:3fa2c1d0", intent="goodbye"), "a button"),
    "command": (corrected("/help", intent="goodbye"), "a command"),
    "digits only": (corrected("1", intent="goodbye"), "too short"),
    "too long": (corrected("very " * 101, intent="goodbye"), "longer than 500 characters"),
    "new intent": (corrected("hows my stuff", intent="brand_new"), "unknown label"),
    "label of another head": (corrected("hows my stuff", intent="anger"), "unknown label"),
    "unknown head": (corrected("hows my stuff", mood="anger"), "unknown label"),
    "unknown entry": (corrected("hows my stuff", faq="gone.en"), "unknown FAQ entry"),
    "as in the base": (corrected("Where is my  order", intent="order_status"), "known already"),
    "as in the base but for the number": (corrected("has fd99999999 shipped?", intent="order_status"), "known already"),
    "a wording of the entry": (corrected("put a card in the box", faq="gift-note.en"), "known already"),
    "a wording of its translation": (corrected("put a card in the box", faq="gift-note.zh"), "known already"),
    "liked against the base": (liked("bye for now"), "confirmed against what is known"),
    "liked against the test set": (liked("so long"), "confirmed against what is known"),
}


@pytest.mark.parametrize(("turn", "reason"), DROPPED.values(), ids=DROPPED)
def test_what_is_left_out_and_why(turn: LoggedTurn, reason: str) -> None:
    gathered = gather([turn], KNOWN)
    assert not gathered.claims
    assert gathered.dropped == {reason: 1}
    assert not gathered.contradictions


def test_examples_carry_weight_source_and_masked_text() -> None:
    turns = [
        corrected("  parcel ＦＤ20481937 where", intent="order_status", emotion="anger"),
        liked("you open late?", turn=2),
    ]
    gathered = gather(turns, KNOWN)
    assert gathered.examples == (
        Example(
            "parcel FD00000000 where",
            {"intent": "order_status", "emotion": "anger"},
            lang="en",
            weight=2.0,
            source="correction",
        ),
        Example("you open late?", {"intent": "store_hours"}, lang="en", weight=1.0, source="confirmed"),
    )
    assert gathered.taken == {"correction": 2, "confirmed": 1}


def test_a_later_correction_replaces_an_earlier_one_and_is_told() -> None:
    turns = [corrected("Hows my stuff", 1, intent="goodbye"), corrected("hows my stuff", 2, intent="order_status")]
    gathered = gather(turns, KNOWN)
    assert [(claim.turn, claim.label) for claim in gathered.claims] == [(2, "order_status")]
    assert [(clash.against, clash.other, clash.claim.turn) for clash in gathered.contradictions] == [
        ("correction", ("goodbye",), 2)
    ]
    assert gathered.dropped == {"replaced by a later one": 1}


def test_a_correction_taken_back_to_what_the_base_says_leaves_nothing() -> None:
    turns = [corrected("bye for now", 1, intent="store_hours"), corrected("bye for now", 2, intent="goodbye")]
    gathered = gather(turns, KNOWN)
    assert not gathered.claims
    assert not gathered.contradictions


@pytest.mark.parametrize("correction_first", [True, False], ids=["correction first", "confirmed first"])
def test_a_correction_outweighs_a_confirmed_answer(correction_first: bool) -> None:
    turns = [corrected("hows my stuff", 1, intent="order_status"), liked("hows my stuff", turn=2)]
    gathered = gather(turns if correction_first else turns[::-1], KNOWN)
    assert told(gathered) == [("hows my stuff", "intent", "order_status", "correction")]
    assert gathered.dropped == {"outweighed by a correction": 1}
    assert not gathered.contradictions


CLASHES = {
    "base example": (corrected("bye for now", intent="store_hours"), "base", ("goodbye",)),
    "FAQ wording": (corrected("put a card in the box", faq="parking.en"), "base", ("gift-note",)),
    "frozen test text": (corrected("so long", intent="store_hours"), "test", ("goodbye",)),
    "frozen query": (corrected("is there a car park", faq="gift-note.en"), "test", ("parking",)),
}


@pytest.mark.parametrize(("turn", "against", "other"), CLASHES.values(), ids=CLASHES)
def test_a_correction_against_what_is_known_is_kept_and_told(
    turn: LoggedTurn, against: str, other: tuple[str, ...]
) -> None:
    gathered = gather([turn], KNOWN)
    assert len(gathered.claims) == 1
    assert [(clash.against, clash.other) for clash in gathered.contradictions] == [(against, other)]


def test_a_correction_that_agrees_with_the_test_set_is_no_contradiction() -> None:
    gathered = gather([corrected("so long", intent="goodbye")], KNOWN)
    assert len(gathered.claims) == 1
    assert not gathered.contradictions


TURNS = st.builds(
    LoggedTurn,
    turn=st.integers(1, 50),
    text=st.one_of(st.sampled_from(["bye for now", "so long", "hows my stuff", "Hows my stuff", "/x", "1"]), st.text()),
    intent=st.sampled_from(["", "goodbye", "order_status"]),
    decision=st.sampled_from(["template", "faq", "form", "clarify"]),
    faq=st.sampled_from(["", "parking.en", "gone"]),
    corrections=st.dictionaries(
        st.sampled_from(["intent", "emotion", "faq"]),
        st.sampled_from(["goodbye", "order_status", "anger", "parking.en", "nonsense"]),
    ),
    feedback=st.sampled_from([-1, 0, 1]),
    kind=st.sampled_from(["text", "button", "photo"]),
    by_reading=st.booleans(),
)


@given(st.lists(TURNS, max_size=12))
def test_every_text_is_taught_once_and_nothing_unknown(turns: list[LoggedTurn]) -> None:
    gathered = gather(turns, KNOWN)
    keys = [(text_key(claim.text), claim.head) for claim in gathered.claims]
    assert len(keys) == len(set(keys))
    assert all(KNOWN.names(claim) for claim in gathered.claims)
    assert {clash.claim for clash in gathered.contradictions} <= set(gathered.claims)
    assert all(clash.claim.source is Source.CORRECTION for clash in gathered.contradictions)
    assert {example.source for example in gathered.examples} <= {"correction", "confirmed"}
