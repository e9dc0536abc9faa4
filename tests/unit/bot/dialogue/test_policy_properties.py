from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.dialogue.moves import OPTION_FLOOR
from bot.dialogue.policy import decide
from bot.dialogue.replies import fill, next_state
from bot.domain.conversation import Conversation, FormState, Status
from bot.domain.decisions import DecisionKind
from bot.domain.messages import ContentKind
from bot.domain.rules import Priority
from nlu.types import Distribution, Score, Understanding
from retrieval.types import Hit
from tests.unit.bot.dialogue.shop_scenes import BOT, ENTRIES, HIT_THRESHOLDS, RULES, START, VECTOR, found


def read(
    text: str, intents: list[tuple[str, float]], emotion: tuple[str, float], oos: float, lang: str
) -> Understanding:
    heads = {"emotion": Distribution((Score(*emotion),))}
    if intents:
        heads["intent"] = Distribution(tuple(Score(*intent) for intent in intents))
    return Understanding(text, lang, heads, (), oos, VECTOR, "r1")


probabilities = st.floats(0, 1)
texts = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["yes", "不", "FD20481937", "intent:jobs", "faq:a", "human:", "/help", "1", "my lawyer", "suicide"]
    ),
)
labels = st.sampled_from([*RULES.intents, "oos", "unheard_of"])
forms = st.builds(
    FormState,
    st.sampled_from([*RULES.forms, "gone"]),
    st.dictionaries(
        st.sampled_from(["order_number", "wish", "change"]), st.sampled_from(["FD20481937", "refund", "{x}"])
    ),
    st.sampled_from(["order_number", "wish", "change", "confirm", ""]),
    st.integers(0, 3),
    labels,
)
conversations = st.builds(
    Conversation,
    st.just("c"),
    status=st.sampled_from(Status),
    lang=st.sampled_from(["", "en", "zh", "fr"]),
    form=st.none() | forms,
    moods=st.lists(st.sampled_from(["", *RULES.emotions]), max_size=6).map(tuple),
    misses=st.integers(0, 3),
    turns=st.integers(0, 99),
    options=st.lists(st.sampled_from(["intent:jobs", "faq:a", "human:", "junk"]), max_size=3).map(tuple),
)
readings = st.builds(
    read,
    texts,
    st.lists(st.tuples(labels, probabilities), max_size=5, unique_by=lambda pair: pair[0]).map(
        lambda pairs: sorted(pairs, key=lambda pair: -pair[1])
    ),
    st.tuples(st.sampled_from([*RULES.emotions, "boredom"]), probabilities),
    probabilities,
    st.sampled_from(["", "en", "zh", "fr"]),
)
hit_lists = st.lists(st.builds(found, st.sampled_from(list(ENTRIES)), probabilities), max_size=3)


@given(readings, conversations, hit_lists, st.sampled_from(ContentKind))
def test_every_message_gets_one_sound_decision(
    reading: Understanding, before: Conversation, hits: list[Hit], kind: ContentKind
) -> None:
    decision = decide(reading, before, hits, HIT_THRESHOLDS, RULES, kind)
    assert decision == decide(reading, before, hits, HIT_THRESHOLDS, RULES, kind)
    in_danger = decision.priority is Priority.URGENT
    assert (decision.kind is DecisionKind.SILENT) == (before.status is Status.AGENT and not in_danger)
    assert len(decision.options) <= 3
    assert decision.lang in RULES.languages
    if decision.escalate and before.status is Status.WAITING:
        assert decision.priority > Priority.NORMAL, "a call for who is on the way already only makes it more urgent"
    filled = fill(decision, before, RULES, BOT.templates, ENTRIES)
    assert bool(filled.replies) == (decision.kind is not DecisionKind.SILENT)
    assert all(reply.text for reply in filled.replies)
    assert all(len(button.value.encode()) <= 64 for reply in filled.replies for button in reply.buttons)
    after = next_state(before, reading, decision, RULES)
    assert after.turns == before.turns + 1
    assert (after.status is Status.AGENT) == (before.status is Status.AGENT)
    assert Conversation.from_json(after.to_json()) == after


@given(readings, hit_lists)
def test_nothing_improbable_is_offered(reading: Understanding, hits: list[Hit]) -> None:
    decision = decide(reading, START, hits, HIT_THRESHOLDS, RULES)
    scores = {f"intent:{s.label}": s.confidence for s in reading.intent.top} if reading.intent else {}
    offered = [option for option in decision.options if option.startswith("intent:")]
    assert all(scores[option] >= OPTION_FLOOR for option in offered)
