"""What editors do with entries: texts are cleaned once, and what is stored comes back as it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from bot.adapters.sql_log import SqlLog, open_log
from bot.domain.records import FaqDraft
from bot.errors import InputError
from bot.knowledge.editing import FaqEditor
from retrieval.types import FaqEntry

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
FRAME = FaqEntry("frame", "How do I embed the map?", 'Put <iframe src="map"></iframe> there.', "en", ("<embed> it?",))
LONG = FaqEntry("long", "Why?", "x" * 20_001, "en")
FRENCH = FaqEntry("french", "Pourquoi ?", "Parce que.", "fr")


class At:
    def now(self) -> datetime:
        return NOW


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqlLog]:
    opened = open_log(f"sqlite:///{tmp_path}/log.sqlite3", At())
    yield opened
    opened.close()


def editor(log: SqlLog, *released: FaqEntry) -> FaqEditor:
    return FaqEditor(log, At(), ("en", "zh-CN"), lambda: released)


def test_html_that_comes_in_becomes_text(log: SqlLog) -> None:
    draft = FaqDraft(FaqEntry("a", "<b>Why</b>?", "<p>So.</p><script>x()</script>", "en", ("<i>why</i> so", "<br>")))
    stored = editor(log).put(draft, "api").entry
    assert stored == FaqEntry("a", "Why?", "So.", "en", ("why so",))


def test_what_a_version_has_already_is_plain_and_stays(log: SqlLog) -> None:
    edited = editor(log, FRAME).put(FaqDraft(replace(FRAME, tags=("map",))), "api")
    assert edited.entry == replace(FRAME, tags=("map",))
    code = "Write <code>&lt;iframe src='x'&gt;&lt;/iframe&gt;</code>."
    plain = editor(log, FRAME).put(FaqDraft(replace(FRAME, answer=code)), "api").entry
    assert plain.answer == "Write <iframe src='x'></iframe>."
    assert editor(log, FRAME).put(FaqDraft(replace(plain, tags=("x",))), "api").entry.answer == plain.answer


def test_an_editor_who_does_not_see_variants_keeps_those_of_the_same_question(log: SqlLog) -> None:
    knowledge = editor(log, replace(FRAME, variants=("a", "b")))
    same = FaqDraft(replace(FRAME, answer="Like this.", variants=("c", "a")))
    assert knowledge.with_known_variants(same).entry.variants == ("c", "a", "b")
    other = FaqDraft(replace(FRAME, question="Where is it?", variants=("c",)))
    assert knowledge.with_known_variants(other) == other
    unknown = FaqDraft(replace(FRAME, id="new"))
    assert knowledge.with_known_variants(unknown) == unknown


@pytest.mark.parametrize("entry", [FRAME, LONG, FRENCH], ids=lambda entry: entry.id)
def test_an_entry_is_disabled_and_restored_as_it_was(log: SqlLog, entry: FaqEntry) -> None:
    knowledge = editor(log, entry)
    disabled = knowledge.disable(knowledge.versions(entry.id)[-1], "api")
    assert (disabled.entry, disabled.enabled, disabled.version) == (entry, False, 2)
    restored = knowledge.restore(knowledge.versions(entry.id)[0], "api")
    assert (restored.entry, restored.enabled) == (entry, True)


def test_a_disabled_entry_keeps_its_schedule(log: SqlLog) -> None:
    knowledge = editor(log)
    scheduled = knowledge.put(FaqDraft(FRAME, True, NOW, NOW + timedelta(days=1)), "api")
    disabled = knowledge.disable(scheduled, "api")
    assert (disabled.valid_from, disabled.valid_until) == (NOW, NOW + timedelta(days=1))


def test_the_language_is_stored_as_the_bot_names_it(log: SqlLog) -> None:
    assert editor(log).put(FaqDraft(replace(FRAME, lang="ZH_tw")), "api").entry.lang == "zh-CN"


SOUND = FaqEntry("a", "Why?", "So.", "en")
WEST, EAST = timezone(timedelta(hours=-12)), timezone(timedelta(hours=12))
REFUSED = {
    "an end beyond all years": (
        FaqDraft(SOUND, valid_until=datetime(9999, 12, 31, 23, 59, 59, tzinfo=WEST)),
        "valid_until: expected a year from 1 to 9999 in UTC",
    ),
    "a beginning before all years": (
        FaqDraft(SOUND, valid_from=datetime(1, 1, 1, tzinfo=EAST)),
        "valid_from: expected a year from 1 to 9999 in UTC",
    ),
    "an end before the beginning": (
        FaqDraft(SOUND, valid_from=NOW, valid_until=NOW),
        "valid_until: expected a moment after valid_from",
    ),
    "a question of marks": (FaqDraft(replace(SOUND, question="??")), "question: expected words, got '??'"),
    "a question that nobody sees": (FaqDraft(replace(SOUND, question="\u200b")), "question: expected words"),
    "a variant of marks": (FaqDraft(replace(SOUND, variants=("why", "…"))), "variants: expected words, got '…'"),
    "a language that is not spoken": (FaqDraft(FRENCH), "lang: expected one of en, zh-CN, got 'fr'"),
    "too long an answer": (FaqDraft(LONG), "answer: expected at most 20000 characters, got 20001"),
    "markup alone": (FaqDraft(replace(SOUND, answer="<br>")), "answer: nothing is left of it without its markup"),
}


@pytest.mark.parametrize(("draft", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_answered_with_is_refused(log: SqlLog, draft: FaqDraft, message: str) -> None:
    with pytest.raises(InputError, match=message.replace("?", r"\?")):
        editor(log).put(draft, "api")
    assert log.faq_latest() == []
