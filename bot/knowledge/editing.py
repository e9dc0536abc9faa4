"""What editors do with the live knowledge base: look, edit and restore."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC

from bot.domain.log_ports import ConversationLog
from bot.domain.ports import Clock
from bot.domain.records import FaqDraft, FaqVersion
from bot.errors import InputError
from retrieval.languages import spoken_language
from retrieval.plain_text import plain_text
from retrieval.types import FaqEntry

MAX_ID = 60
"""Characters of an entry's id."""

ID_PATTERN = r"^[^\s/:]+$"
"""What an id is made of: what fits an address and the value of a button."""

MAX_ANSWER = 20_000
"""Characters of an answer; Telegram sends 4,096 at a time."""


class FaqEditor:
    """Edits FAQ entries; one that was never edited has version 0, as the release has it.

    Args:
        log: keeps the versions.
        clock: tells the time.
        languages: the languages of the bot.
        released: gives the entries of the release, as it was trained.
        edited: is called after each edit.
    """

    def __init__(
        self,
        log: ConversationLog,
        clock: Clock,
        languages: Sequence[str],
        released: Callable[[], Sequence[FaqEntry]],
        edited: Callable[[], None] = lambda: None,
    ) -> None:
        self._log = log
        self._clock = clock
        self.languages = tuple(languages)
        """The languages of the bot."""
        self._released = released
        self._edited = edited

    def entries(self) -> list[FaqVersion]:
        """The latest version of every entry, those that answer nobody included; the release's come first."""
        current = {entry.id: self._original(entry) for entry in self._released()}
        current |= {version.entry.id: version for version in self._log.faq_latest()}
        return list(current.values())

    def versions(self, entry: str) -> list[FaqVersion]:
        """All versions of an entry, the oldest first; none where there is no such entry."""
        stored = self._log.faq_versions(entry)
        known = self._known(entry)
        return stored or ([self._original(known)] if known else [])

    def put(self, draft: FaqDraft, author: str, expected: int | None = None) -> FaqVersion:
        """Adds or replaces an entry; this process answers with it at once, the others within a second.

        Args:
            draft: what the entry is to be; HTML in it becomes plain text.
            author: who wants it.
            expected: the latest version that the author saw, 0 for none; None to overwrite whatever there is.

        Returns:
            The new version.

        Raises:
            InputError: see `checked`.
            EditedError: somebody else edited the entry meanwhile.
        """
        return self.store(self.checked(self.plain(draft)), author, expected)

    def store(self, draft: FaqDraft, author: str, expected: int | None = None) -> FaqVersion:
        """Adds or replaces an entry as it is, without a look at its texts; see `put`.

        Args:
            draft: what the entry is to be.
            author: who wants it.
            expected: the latest version that the author saw, 0 for none; None to overwrite whatever there is.

        Returns:
            The new version.
        """
        stored = self._log.put_faq(draft, author, before=self._known(draft.entry.id), expected=expected)
        self._edited()
        return stored

    def store_all(self, drafts: Sequence[FaqDraft], author: str) -> list[FaqVersion]:
        """Adds or replaces several entries as they are, all or none; see `store`.

        Args:
            drafts: what the entries are to be, each once.
            author: who wants it.

        Returns:
            The new versions in the order of the drafts.
        """
        stored = self._log.put_faqs(drafts, author, before={entry.id: entry for entry in self._released()})
        self._edited()
        return stored

    def disable(self, latest: FaqVersion, author: str) -> FaqVersion:
        """Has an entry answer nobody; its versions and its schedule stay.

        Args:
            latest: its latest version.
            author: who wants it.

        Returns:
            The new version.
        """
        return self.store(FaqDraft(latest.entry, False, latest.valid_from, latest.valid_until), author)

    def restore(self, old: FaqVersion, author: str) -> FaqVersion:
        """Brings an older version back as the newest one, as it was.

        Args:
            old: the version to bring back.
            author: who wants it.

        Returns:
            The new version.
        """
        return self.store(FaqDraft(old.entry, old.enabled, old.valid_from, old.valid_until), author)

    def with_known_variants(self, draft: FaqDraft) -> FaqDraft:
        """A draft with the variants that its entry has already, as long as it asks the same question.

        Args:
            draft: by somebody who does not see all variants, such as those that the release learnt from its customers.

        Returns:
            The draft with its own variants first.
        """
        entry, versions = draft.entry, self.versions(draft.entry.id)
        if not versions or versions[-1].entry.question != entry.question:
            return draft
        variants = tuple(dict.fromkeys([*entry.variants, *versions[-1].entry.variants]))
        return replace(draft, entry=replace(entry, variants=variants))

    def plain(self, draft: FaqDraft) -> FaqDraft:
        """A draft with plain text alone; texts that a version of the entry has already are plain, and stay.

        Args:
            draft: as an editor wrote it.

        Returns:
            The draft without HTML, its variants without repetitions.

        Raises:
            InputError: nothing is left of question or answer.
        """
        known = {text for version in self.versions(draft.entry.id) for text in _texts(version.entry)}

        def plain(text: str) -> str:
            return text if text in known else plain_text(text).strip()

        question, answer = plain(draft.entry.question), plain(draft.entry.answer)
        for name, text in (("question", question), ("answer", answer)):
            if not text:
                raise InputError(f"{name}: nothing is left of it without its markup; write some text")
        variants = dict.fromkeys(text for text in map(plain, draft.entry.variants) if text)
        return replace(draft, entry=replace(draft.entry, question=question, answer=answer, variants=tuple(variants)))

    def checked(self, draft: FaqDraft) -> FaqDraft:
        """Makes sure that a draft can be answered with.

        Args:
            draft: plain text.

        Returns:
            The draft with its language as the bot names it.

        Raises:
            InputError: the answer is too long, nobody can ask the question or a variant, the bot does not speak the
                language, or the schedule is none.
        """
        entry = draft.entry
        _check_schedule(draft)
        lang = spoken_language(entry.lang, self.languages)
        if lang is None:
            raise InputError(f"lang: expected one of {', '.join(self.languages)}, got {entry.lang!r}")
        if len(entry.answer) > MAX_ANSWER:
            count = len(entry.answer)
            raise InputError(f"answer: expected at most {MAX_ANSWER} characters, got {count}; split the entry")
        for name, text in (("question", entry.question), *(("variants", variant) for variant in entry.variants)):
            if not any(character.isalnum() for character in text):
                raise InputError(f"{name}: expected words, got {text!r}; write what customers ask")
        return replace(draft, entry=replace(entry, lang=lang))

    def _known(self, entry: str) -> FaqEntry | None:
        return next((each for each in self._released() if each.id == entry), None)

    def _original(self, entry: FaqEntry) -> FaqVersion:
        return FaqVersion(entry, 0, True, None, None, "release", self._clock.now())


def check_id(name: str) -> None:
    """Makes sure that the API can address an entry by an id.

    Args:
        name: the id.

    Raises:
        InputError: it has other characters, or too many.
    """
    if not re.fullmatch(ID_PATTERN, name) or len(name) > MAX_ID:
        raise InputError(
            f"id: expected at most {MAX_ID} characters without spaces, `/` or `:`, got {name[: MAX_ID + 1]!r}; "
            "change it, or let `frontdesk import faq` do so"
        )


def _texts(entry: FaqEntry) -> tuple[str, ...]:
    return entry.question, entry.answer, *entry.variants


def _check_schedule(draft: FaqDraft) -> None:
    for name, moment in (("valid_from", draft.valid_from), ("valid_until", draft.valid_until)):
        try:
            if moment is not None:
                moment.astimezone(UTC)
        except OverflowError:
            remedy = "leave it out for no limit"
            raise InputError(f"{name}: expected a year from 1 to 9999 in UTC, got {moment}; {remedy}") from None
    if draft.valid_from and draft.valid_until and draft.valid_until <= draft.valid_from:
        raise InputError("valid_until: expected a moment after valid_from; correct one of them")
