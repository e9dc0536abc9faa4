"""The live knowledge base: every version of every FAQ entry that somebody edited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import or_
from sqlmodel import Session, col, func, select, update

from bot.adapters.sql_engine import SqlAccess, insert_once
from bot.adapters.sql_tables import AuditRow, FaqRevisionRow, FaqVersionRow, FeedbackRow, MessageRow, TurnRow
from bot.domain.decisions import DecisionKind
from bot.domain.messages import ContentKind
from bot.domain.records import FaqDraft, FaqVersion, Unanswered
from bot.errors import EditedError
from retrieval.types import FaqEntry

_ONLY = 1
_MOST_READ = 20


class SqlKnowledge(SqlAccess):
    """FAQ entries as they were edited while the bot runs."""

    def faq_revision(self) -> int:
        """Grows with every change of the knowledge base; whoever has seen a revision has seen all before it."""
        with self._read() as session:
            return session.exec(select(FaqRevisionRow.value).where(col(FaqRevisionRow.id) == _ONLY)).first() or 0

    def faq_latest(self) -> list[FaqVersion]:
        """The latest version of every entry that was ever edited, by id."""
        newest = select(func.max(col(FaqVersionRow.id))).group_by(col(FaqVersionRow.entry))
        latest = select(FaqVersionRow).where(col(FaqVersionRow.id).in_(newest)).order_by(col(FaqVersionRow.entry))
        with self._read() as session:
            return [_version(row) for row in session.exec(latest)]

    def faq_variants(self) -> dict[str, frozenset[str]]:
        """Every variant that any version of an edited entry has had, by the entry's id."""
        had: dict[str, set[str]] = {}
        with self._read() as session:
            for entry, variants in session.exec(select(FaqVersionRow.entry, FaqVersionRow.variants)):
                had.setdefault(entry, set()).update(variants)
        return {entry: frozenset(variants) for entry, variants in had.items()}

    def faq_versions(self, entry: str) -> list[FaqVersion]:
        """All versions of an entry, the oldest first; none where it was never edited."""
        with self._read() as session:
            return [_version(row) for row in _rows(session, entry)]

    def put_faq(
        self, draft: FaqDraft, author: str, *, before: FaqEntry | None = None, expected: int | None = None
    ) -> FaqVersion:
        """Stores a new version of an entry; see `ConversationLog.put_faq`."""
        with self._write() as session:
            latest = _next_revision(session).get(draft.entry.id, 0)
            if expected is not None and expected != latest:
                raise EditedError(
                    f"FAQ entry {draft.entry.id!r} is at version {latest}, you saw {expected}: read it again, then edit"
                )
            return self._stored(session, draft, author, latest, before)

    def put_faqs(self, drafts: Sequence[FaqDraft], author: str, *, before: Mapping[str, FaqEntry]) -> list[FaqVersion]:
        """Stores new versions of several entries at once; see `ConversationLog.put_faqs`."""
        if not drafts:
            return []
        with self._write() as session:
            latest = _next_revision(session)
            return [
                self._stored(session, draft, author, latest.get(draft.entry.id, 0), before.get(draft.entry.id))
                for draft in drafts
            ]

    def _stored(
        self, session: Session, draft: FaqDraft, author: str, latest: int, before: FaqEntry | None
    ) -> FaqVersion:
        """The next version of an entry, with a note in the audit trail; its first is what the release has."""
        now = self._clock.now()
        if before is not None and not latest:
            session.add(_row(FaqDraft(before), 1, "release", now))
            latest = 1
        fresh = _row(draft, latest + 1, author, now)
        session.add(fresh)
        session.add(AuditRow(at=now, who=author, action="faq edited", detail=f"{fresh.entry} version {fresh.version}"))
        return _version(fresh)

    def latest_texts(self, limit: int) -> list[tuple[str, str]]:
        """The latest different texts that customers wrote, with their languages, the latest first."""
        newest = (
            select(MessageRow.text, MessageRow.lang)
            .where(col(MessageRow.kind) == ContentKind.TEXT.value)
            .order_by(col(MessageRow.id).desc())
            .limit(limit * _MOST_READ)
        )
        with self._read() as session:
            different: dict[str, str] = {}
            for text, lang in session.exec(newest):
                different.setdefault(text, lang or "")
                if len(different) == limit:
                    break
            return list(different.items())

    def unanswered(self, limit: int) -> list[Unanswered]:
        """The latest different texts that were asked back about, missed or answered unhelpfully, the latest first."""
        unhelpful = func.coalesce(col(FeedbackRow.value), 0) < 0
        missed = col(TurnRow.document)[("decision", "miss")].as_boolean()
        newest = (
            select(MessageRow.text, TurnRow.lang, TurnRow.conversation, TurnRow.id, TurnRow.at, unhelpful)  # type: ignore[call-overload]
            .join(MessageRow, col(MessageRow.id) == col(TurnRow.message_id))
            .outerjoin(FeedbackRow, col(FeedbackRow.turn_id) == col(TurnRow.id))
            .where(col(MessageRow.kind) == ContentKind.TEXT.value)
            .where(or_(col(TurnRow.decision) == DecisionKind.CLARIFY.value, missed, unhelpful))
            .order_by(col(TurnRow.id).desc())
            .limit(limit * _MOST_READ)
        )
        with self._read() as session:
            different: dict[str, Unanswered] = {}
            for text, lang, conversation, turn, at, disliked in session.exec(newest):
                found = Unanswered(text, lang, conversation, turn, at, bool(disliked))
                different.setdefault(text.strip().casefold(), found)
                if len(different) == limit:
                    break
            return list(different.values())


def _next_revision(session: Session) -> dict[str, int]:
    """Begins the next revision; the latest version of each entry so far."""
    # Writers queue here, so a reader that sees a revision sees every version before it.
    insert_once(session, FaqRevisionRow, {"id": _ONLY, "value": 0})
    grown = update(FaqRevisionRow).where(col(FaqRevisionRow.id) == _ONLY)
    session.exec(grown.values(value=col(FaqRevisionRow.value) + 1))
    latest = select(FaqVersionRow.entry, func.max(FaqVersionRow.version)).group_by(col(FaqVersionRow.entry))
    return dict(session.exec(latest).all())


def _rows(session: Session, entry: str) -> list[FaqVersionRow]:
    known = select(FaqVersionRow).where(col(FaqVersionRow.entry) == entry).order_by(col(FaqVersionRow.version))
    return list(session.exec(known))


def _row(draft: FaqDraft, version: int, author: str, at: datetime) -> FaqVersionRow:
    entry = draft.entry
    return FaqVersionRow(
        entry=entry.id,
        version=version,
        question=entry.question,
        answer=entry.answer,
        lang=entry.lang,
        variants=list(entry.variants),
        tags=list(entry.tags),
        enabled=draft.enabled,
        valid_from=draft.valid_from,
        valid_until=draft.valid_until,
        author=author,
        at=at,
    )


def _version(row: FaqVersionRow) -> FaqVersion:
    entry = FaqEntry(row.entry, row.question, row.answer, row.lang, tuple(row.variants), tuple(row.tags))
    return FaqVersion(entry, row.version, row.enabled, row.valid_from, row.valid_until, row.author, row.at)
