from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.dialogue.forms import Outcome, answer, begin, find_values, plain, prefill, read_answer, retry
from bot.domain.conversation import FormState
from bot.domain.rules import Choice, FormSpec, Slot, SlotType
from nlu.types import Entity

ORDER = Slot("order_number", SlotType.ORDER_NUMBER, "ask", "bad", "order_number", "FD", 8)
EMAIL = Slot("email", SlotType.EMAIL, "ask", "bad", "email")
PHONE = Slot("phone", SlotType.PHONE, "ask", "bad", "phone")
NOTE = Slot("note", SlotType.TEXT, "ask_note", "bad", max_length=20)
CODE = Slot("code", SlotType.TEXT, "ask", "bad", pattern="[A-Z]{3}")
WISH = Slot(
    "wish",
    SlotType.CHOICE,
    "ask_wish",
    "bad",
    choices=(Choice("refund", {"en": ("My money back", "refund"), "zh": ("退款",)}),),
)
SPEC = FormSpec("f", (ORDER, WISH, NOTE), confirm="confirm")


@pytest.mark.parametrize(
    ("slot", "text", "expected"),
    [
        (ORDER, "fd 2048-1937", "FD20481937"),
        (ORDER, "20481937", "FD20481937"),
        (ORDER, "#FD20481937", "FD20481937"),
        (ORDER, "FD-20481937!", "FD20481937"),
        (ORDER, "order FD #20481937 please", "FD20481937"),
        (ORDER, "2048 1937", "FD20481937"),
        (ORDER, "订单号是20481937的", "FD20481937"),
        (ORDER, "ＦＤ２０４８１９３７", "FD20481937"),
        (ORDER, "FD2048193", None),
        (ORDER, "FD204819370", None),
        (ORDER, "13820481937", None),
        (ORDER, "138 2048 1937", None),
        (ORDER, "+4920481937", None),
        (ORDER, "no idea", None),
        (EMAIL, "it's Jo.Doe+x@Example.co.uk, thanks", "jo.doe+x@example.co.uk"),
        (EMAIL, "邮箱是a@b.cn谢谢", "a@b.cn"),
        (EMAIL, "邮箱anna@example.com谢谢", "anna@example.com"),
        (EMAIL, "write to anna@example.com.", "anna@example.com"),
        (EMAIL, "anna.müller@example.com", None),
        (EMAIL, "mu\u0308ller@example.com", None),
        (EMAIL, "anna@mail.example.comé", None),
        (EMAIL, "jo at example", None),
        (PHONE, "call +49 (30) 123-4567", "+49301234567"),
        (PHONE, "12345", None),
        (WISH, "Refund!", "refund"),
        (WISH, "退款。", "refund"),
        (WISH, "I want my refund", "refund"),
        (WISH, "我想退款", "refund"),
        (WISH, "When do I get my refund?", None),
        (WISH, "I don't want a refund", None),
        (NOTE, "  two \n words ", "two words"),
        (NOTE, "x" * 21, None),
        (NOTE, " ", None),
        (CODE, "ABC", "ABC"),
        (CODE, "abc", None),
    ],
)
def test_reads_an_answer(slot: Slot, text: str, expected: str | None) -> None:
    assert read_answer(slot, text) == expected


@pytest.mark.parametrize(
    ("kind", "value", "taken"),
    [
        (SlotType.DATE, "2026-12-03", True),
        (SlotType.DATE, "tomorrow", False),
        (SlotType.AMOUNT, "EUR 12.50", True),
        (SlotType.AMOUNT, "a lot", False),
    ],
)
def test_days_and_sums_are_taken_from_what_was_read(kind: SlotType, value: str, taken: bool) -> None:
    slot = Slot("when", kind, "ask", "bad", kind.value)
    assert find_values(slot, "said somehow", [Entity(kind.value, 0, 4, "said", value)]) == ((value,) if taken else ())
    assert find_values(slot, value) == ()


def test_an_entity_goes_before_the_text_and_is_checked() -> None:
    good = Entity("order_number", 0, 1, "x", "FD11112222")
    bad = Entity("order_number", 0, 1, "12", "12")
    assert find_values(ORDER, "FD20481937", [good]) == ("FD11112222", "FD20481937")
    assert find_values(ORDER, "FD20481937", [bad]) == ("FD20481937",)


def test_prefills_what_is_plain_and_never_free_text() -> None:
    assert prefill(SPEC, "refund FD20481937", (), {"wish": "退款", "note": "x"}) == {
        "order_number": "FD20481937",
        "wish": "refund",
    }


def test_asks_slot_by_slot_then_confirms_then_is_done() -> None:
    step = begin(SPEC, "damaged", {})
    seen = [step.template]
    for text in ("FD20481937", "refund", "the blue one"):
        nxt = answer(SPEC, step.state, text, (), agrees=False, denies=False)
        assert nxt is not None
        step = nxt
        seen.append(step.template)
    assert seen == ["ask", "ask_wish", "ask_note", "confirm"]
    done = answer(SPEC, step.state, "yes", (), agrees=True, denies=False)
    assert done is not None
    assert (done.outcome, done.state.intent) == (Outcome.DONE, "damaged")


@pytest.mark.parametrize(
    ("text", "agrees", "denies", "expected"),
    [
        ("yes", True, False, (Outcome.DONE, "FD20481937")),
        ("FD20481937", False, False, (Outcome.DONE, "FD20481937")),
        ("no, FD11112222", False, True, (Outcome.ASK, "FD11112222")),
        ("not FD20481937 but FD11112222", False, False, (Outcome.ASK, "FD11112222")),
        ("no", False, True, (Outcome.ASK, None)),
        ("hm", False, False, None),
    ],
)
def test_confirmation(text: str, agrees: bool, denies: bool, expected: tuple[Outcome, str | None] | None) -> None:
    spec = FormSpec("f", (ORDER,), confirm="confirm")
    state = begin(spec, "i", {"order_number": "FD20481937"}).state
    step = answer(spec, state, text, (), agrees=agrees, denies=denies)
    assert (step and (step.outcome, step.state.slots.get("order_number"))) == expected


def test_a_refusal_that_says_what_is_wanted_changes_the_text() -> None:
    state = begin(SPEC, "i", {"order_number": "FD20481937", "wish": "refund", "note": "14 Low Street"}).state
    step = answer(SPEC, state, "no, 14 High Street", (), agrees=False, denies=True, wanted="14 High Street")
    assert step is not None
    assert (step.state.asking, step.state.slots["note"]) == ("confirm", "14 High Street")
    again = answer(SPEC, state, "no", (), agrees=False, denies=True)
    assert again is not None
    assert again.state.slots == {}


def test_a_request_for_time_is_no_text() -> None:
    state = FormState("f", {"order_number": "FD20481937", "wish": "refund"}, "note", 0, "i")
    assert answer(SPEC, state, "one moment please", (), agrees=False, denies=False) is None


def test_gives_up_after_the_last_attempt() -> None:
    state = begin(SPEC, "i", {}).state
    outcomes = []
    for _ in range(3):
        step = retry(SPEC, state)
        state = step.state
        outcomes.append((step.outcome, step.template))
    assert outcomes == [(Outcome.RETRY, "bad"), (Outcome.RETRY, "bad"), (Outcome.FAILED, "")]


def test_an_answer_resets_the_attempts() -> None:
    step = answer(SPEC, FormState("f", {}, "order_number", 2, "i"), "20481937", (), agrees=False, denies=False)
    assert step is not None
    assert (step.state.asking, step.state.attempts) == ("wish", 0)


def test_without_confirmation_the_last_answer_ends_the_form() -> None:
    spec = FormSpec("f", (EMAIL,))
    step = answer(spec, begin(spec, "i", {}).state, "a@b.cn", (), agrees=False, denies=False)
    assert step is not None
    assert step.outcome is Outcome.DONE


@given(
    st.from_regex(r"[0-9]{8}", fullmatch=True), st.sampled_from(["", "FD", "fd ", "#FD", "FD-", "fd#"]), st.booleans()
)
def test_every_way_to_write_an_order_number_is_read(digits: str, prefix: str, split: bool) -> None:
    written = f"{digits[:4]}-{digits[4:]}" if split else digits
    assert read_answer(ORDER, prefix + written) == f"FD{digits}"


@given(st.text())
def test_whatever_is_written_a_value_found_is_valid(text: str) -> None:
    assert all(len(value) == 10 and value[2:].isascii() and value[2:].isdigit() for value in find_values(ORDER, text))
    for slot in (EMAIL, PHONE, WISH, NOTE):
        value = read_answer(slot, text)
        assert value is None or value
    assert plain(plain(text)) == plain(text)
