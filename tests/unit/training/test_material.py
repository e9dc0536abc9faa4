from __future__ import annotations

from typing import Any

from nlu.examples import Example, Span
from retrieval.types import FaqEntry, FaqQuery
from training.config import TrainingConfig
from training.logged import Gathered, Known, LoggedTurn, gather
from training.material import (
    faq_with_variants,
    material_fingerprint,
    training_examples,
    unseen_queries,
    unseen_test,
)

BASE = [Example(f"order {i}", {"intent": "order_status"}, lang="en") for i in range(50)] + [
    Example(f"bye {i}", {"intent": "goodbye"}, lang="en") for i in range(50)
]
ENTRIES = [
    FaqEntry("note.en", "Can I add a note?", "Yes.", "en", ("put a card in the box",)),
    FaqEntry("park.en", "Where can I park?", "Behind the shop.", "en"),
]
TEST = [Example("any news", {"intent": "order_status"}), Example("so long", {"intent": "goodbye"})]
QUERIES = [FaqQuery("car park?", ("park.en",)), FaqQuery("a card too?", ("note.en",))]
CONFIG = TrainingConfig()


def learnt(*corrections: tuple[str, str, str], base: list[Example] = BASE) -> Gathered:
    turns = [LoggedTurn(i, text, corrections={head: label}) for i, (text, head, label) in enumerate(corrections)]
    return gather(turns, Known(base, ENTRIES, TEST, QUERIES))


def test_the_same_base_examples_are_held_out_with_and_without_a_log() -> None:
    plain = training_examples(BASE, Gathered(), CONFIG)
    more = training_examples(BASE, learnt(("stuff where", "intent", "order_status")), CONFIG)
    assert plain == more[: len(BASE)]
    assert 5 <= sum(example.split == "valid" for example in plain) <= 15


def test_corrections_are_repeated_and_one_in_ten_held_out_texts_watches_them() -> None:
    gathered = learnt(*((f"stuff {letter} where", "intent", "order_status") for letter in "abcdefghij"))
    added = training_examples(BASE, gathered, CONFIG)[len(BASE) :]
    assert sum(example.split != "valid" for example in added) == 100
    assert sum(example.split == "valid" for example in added) == 1
    assert {example.weight for example in added} == {2.0}


def test_confirmed_answers_come_once() -> None:
    turn = LoggedTurn(1, "stuff where", intent="order_status", decision="template", feedback=1)
    added = training_examples(BASE, gather([turn], Known(BASE)), CONFIG)[len(BASE) :]
    assert [(example.text, example.split, example.weight) for example in added] == [("stuff where", "", 1.0)]


def test_a_contradicted_base_label_is_left_out_and_entities_stay() -> None:
    spans = (Span(0, 3, "thing"),)
    base = [*BASE, Example("box lost", {"intent": "goodbye"}, spans), Example("parcel gone", {"intent": "goodbye"})]
    gathered = learnt(("Box lost", "intent", "order_status"), ("parcel gone", "intent", "order_status"), base=base)
    made = training_examples(base, gathered, CONFIG)
    assert [dict(example.labels) for example in made if example.entities] == [{}]
    assert {example.labels["intent"] for example in made if example.text == "parcel gone"} == {"order_status"}


def test_a_frozen_text_that_a_correction_contradicts_stays_though_the_base_has_it_too() -> None:
    base = [*BASE, Example("so long", {"intent": "goodbye"})]
    gathered = learnt(("so long", "intent", "order_status"), base=base)
    assert [(clash.against, clash.other) for clash in gathered.contradictions] == [
        ("base", ("goodbye",)),
        ("test", ("goodbye",)),
    ]
    assert unseen_test(TEST, gathered) == TEST


def test_test_examples_among_the_base_are_never_trained_on() -> None:
    base = [*BASE, Example("secret", {"intent": "goodbye"}, split="test")]
    assert all(example.text != "secret" for example in training_examples(base, Gathered(), CONFIG))


def test_faq_entries_get_variants_and_lose_those_that_belong_elsewhere() -> None:
    gathered = learnt(("room for my van", "faq", "park.en"), ("Put a card in the box", "faq", "park.en"))
    entries = {entry.id: entry.variants for entry in faq_with_variants(ENTRIES, gathered)}
    assert entries == {"note.en": (), "park.en": ("room for my van", "Put a card in the box")}


def test_frozen_texts_that_were_taught_are_left_out_and_contradicted_ones_stay() -> None:
    gathered = learnt(
        ("any news", "intent", "order_status"), ("so long", "intent", "order_status"), ("car park?", "faq", "park.en")
    )
    assert [example.text for example in unseen_test(TEST, gathered)] == ["so long"]
    assert [query.query for query in unseen_queries(QUERIES, gathered)] == ["a card too?"]


def test_the_fingerprint_tells_materials_apart() -> None:
    one = learnt(("stuff where", "intent", "order_status"))
    whole: dict[str, Any] = {
        "base": BASE,
        "faq": ENTRIES,
        "test": TEST,
        "gathered": one,
        "queries": QUERIES,
        "protected": {"intent": ("goodbye",)},
        "config": CONFIG,
    }
    changes: list[dict[str, Any]] = [
        {},
        {"base": BASE[1:]},
        {"faq": ENTRIES[1:]},
        {"test": TEST[1:]},
        {"gathered": learnt(("stuff where", "intent", "goodbye"))},
        {"gathered": Gathered()},
        {"queries": QUERIES[1:]},
        {"protected": {"intent": ("goodbye", "order_status")}},
        {"config": TrainingConfig(epochs=3)},
        {"config": TrainingConfig(seed=CONFIG.seed)},
    ]
    assert len({material_fingerprint(**whole | change) for change in changes}) == len(changes)
    assert material_fingerprint(**whole | {"base": BASE[::-1]}) == material_fingerprint(**whole)
