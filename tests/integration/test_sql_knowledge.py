"""The live knowledge base's part of the contract of `ConversationLog`, over SQLite and PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from bot.adapters.sql_log import SqlLog
from bot.domain.messages import ContentKind
from bot.domain.records import FaqDraft
from bot.errors import EditedError
from retrieval.types import FaqEntry
from tests.integration.sql_examples import AT, CHAT, from_threads, message, turn

WOOL = FaqEntry("wool.en", "How do I wash wool?", "By hand.", "en", ("wash wool",), ("care",))
TEA = FaqEntry("tea.zh", "有茶叶吗？", "有。", "zh")


def test_a_version_comes_back_as_it_was(sql_log: SqlLog) -> None:
    draft = FaqDraft(WOOL, enabled=False, valid_from=AT, valid_until=AT + timedelta(days=1))
    stored = sql_log.put_faq(draft, "api")
    assert (stored.entry, stored.version, stored.author) == (WOOL, 1, "api")
    assert (stored.enabled, stored.valid_from, stored.valid_until) == (False, AT, AT + timedelta(days=1))
    assert sql_log.faq_versions("wool.en") == sql_log.faq_latest() == [stored]


def test_the_latest_version_of_each_entry_counts(sql_log: SqlLog) -> None:
    sql_log.put_faq(FaqDraft(WOOL), "api")
    sql_log.put_faq(FaqDraft(TEA), "api")
    warm = replace(WOOL, answer="Warm.")
    sql_log.put_faq(FaqDraft(warm), "file")
    assert [version.entry for version in sql_log.faq_latest()] == [TEA, warm]
    assert [(v.version, v.entry.answer) for v in sql_log.faq_versions("wool.en")] == [(1, "By hand."), (2, "Warm.")]
    assert sql_log.faq_versions("gone") == []


def test_what_the_release_has_is_kept_as_the_first_version(sql_log: SqlLog) -> None:
    warm = replace(WOOL, answer="Warm.")
    sql_log.put_faq(FaqDraft(warm), "api", before=WOOL, expected=0)
    sql_log.put_faq(FaqDraft(warm), "api", before=WOOL)
    versions = sql_log.faq_versions("wool.en")
    assert [(v.version, v.author, v.entry.answer) for v in versions] == [
        (1, "release", "By hand."),
        (2, "api", "Warm."),
        (3, "api", "Warm."),
    ]


def test_every_variant_that_an_entry_has_had_is_known(sql_log: SqlLog) -> None:
    sql_log.put_faq(FaqDraft(replace(WOOL, variants=("b", "c"))), "api", before=replace(WOOL, variants=("a", "b")))
    sql_log.put_faq(FaqDraft(replace(WOOL, variants=())), "api")
    sql_log.put_faq(FaqDraft(TEA), "api")
    assert sql_log.faq_variants() == {"wool.en": {"a", "b", "c"}, "tea.zh": frozenset()}


def test_nothing_is_overwritten_unseen(sql_log: SqlLog) -> None:
    sql_log.put_faq(FaqDraft(WOOL), "api", expected=0)
    before = sql_log.faq_revision()
    for expected in (0, 2):
        with pytest.raises(EditedError, match=f"'wool.en' is at version 1, you saw {expected}: read it again"):
            sql_log.put_faq(FaqDraft(WOOL), "api", expected=expected)
    assert sql_log.faq_revision() == before
    assert sql_log.put_faq(FaqDraft(WOOL), "api", expected=1).version == 2


def test_of_eight_editors_who_saw_the_same_one_wins(sql_log: SqlLog) -> None:
    def edit(index: int) -> str:
        try:
            return str(sql_log.put_faq(FaqDraft(replace(WOOL, answer=f"{index}")), "api", expected=0).version)
        except EditedError:
            return "late"

    assert sorted(from_threads(8, edit)) == ["1", *["late"] * 7]


def test_the_revision_grows_with_every_edit_and_never_runs_ahead(sql_log: SqlLog) -> None:
    begun = sql_log.faq_revision()
    seen = []

    def edit(index: int) -> None:
        sql_log.put_faq(FaqDraft(replace(WOOL, id=f"entry-{index}")), "api")
        seen.append((sql_log.faq_revision(), len(sql_log.faq_latest())))

    from_threads(8, edit)
    assert sql_log.faq_revision() == begun + 8
    assert all(revision - begun <= entries for revision, entries in seen)


def test_several_entries_are_one_change(sql_log: SqlLog) -> None:
    sql_log.put_faq(FaqDraft(TEA), "api")
    begun = sql_log.faq_revision()
    warm = replace(WOOL, answer="Warm.")
    stored = sql_log.put_faqs([FaqDraft(warm), FaqDraft(TEA, enabled=False)], "file", before={WOOL.id: WOOL})
    assert [(each.entry, each.version, each.enabled) for each in stored] == [(warm, 2, True), (TEA, 2, False)]
    assert [version.entry for version in sql_log.faq_versions(WOOL.id)] == [WOOL, warm]
    assert sql_log.faq_revision() == begun + 1
    noted = {entry.detail for entry in sql_log.audit_trail() if entry.who == "file"}
    assert noted == {"wool.en version 2", f"{TEA.id} version 2"}
    assert sql_log.put_faqs([], "file", before={}) == []
    assert sql_log.faq_revision() == begun + 1


def test_of_several_entries_all_are_stored_or_none(sql_log: SqlLog) -> None:
    begun = sql_log.faq_revision()
    with pytest.raises(IntegrityError):
        sql_log.put_faqs([FaqDraft(TEA), FaqDraft(WOOL), FaqDraft(WOOL)], "file", before={})
    assert (sql_log.faq_latest(), sql_log.faq_revision()) == ([], begun)


def test_the_latest_different_texts(sql_log: SqlLog) -> None:
    for number, text in enumerate(["where is it", "你好", "where is it", "bye"]):
        sql_log.accept(message(number, text=text))
    sql_log.accept(replace(message(9, text="faq:wool.en"), kind=ContentKind.BUTTON))
    assert [text for text, _ in sql_log.latest_texts(10)] == ["bye", "where is it", "你好"]
    assert [text for text, _ in sql_log.latest_texts(1)] == ["bye"]


def test_the_latest_questions_without_an_answer(sql_log: SqlLog) -> None:
    def asked(number: int, text: str, kind: str, *, miss: bool = False, verdict: int = 0) -> int:
        incoming = message(number, text=text)
        sql_log.accept(incoming)
        known = turn(incoming)
        decision = {"kind": kind, "reason": "", "miss": miss}
        stored = sql_log.record_turn(replace(known, document={**known.document, "decision": decision}))
        if verdict:
            sql_log.add_feedback(stored, verdict)
        return stored

    asked(1, "Umbrellas?", "clarify", miss=True)
    asked(2, "how long", "template", verdict=1)
    disliked = asked(3, "how long is it", "faq", verdict=-1)
    lost = asked(4, "hm", "handover", miss=True)
    asked(5, "a person please", "handover")
    latest = asked(6, "umbrellas? ", "clarify")
    found = sql_log.unanswered(10)
    assert [(each.turn, each.text, each.unhelpful) for each in found] == [
        (latest, "umbrellas? ", False),
        (lost, "hm", False),
        (disliked, "how long is it", True),
    ]
    assert {(each.conversation, each.lang) for each in found} == {(CHAT, "en")}
    assert [each.turn for each in sql_log.unanswered(1)] == [latest]
