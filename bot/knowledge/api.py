"""The HTTP API of the live knowledge base: read, edit, schedule, restore and preview FAQ entries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Query
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from bot.domain.ports import Clock
from bot.domain.records import FaqDraft, FaqVersion
from bot.errors import EditedError
from bot.knowledge.editing import ID_PATTERN, MAX_ID, FaqEditor
from bot.knowledge.preview import Effect
from retrieval.types import FaqEntry

_AUTHOR = "api"
_SHOWN = 20

Question = Annotated[str, Field(min_length=1, max_length=1000)]
EntryId = Annotated[str, Path(max_length=MAX_ID, pattern=ID_PATTERN)]


class EntryIn(BaseModel):
    """An FAQ entry as an editor wants it.

    Attributes:
        question: the question as shown to customers.
        answer: what the bot says; HTML becomes plain text.
        lang: the language of both.
        variants: other ways to ask the same; left out to keep those that the entry has.
        tags: free labels.
        enabled: False to have it answer nobody.
        valid_from: when it begins to answer, with a time zone.
        valid_until: when it ceases to.
        version: the latest version that the editor saw, 0 for none; left out to overwrite whatever there is.
    """

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    question: Question
    answer: Annotated[str, Field(min_length=1)]
    lang: Annotated[str, Field(min_length=2, max_length=8)]
    variants: Annotated[list[Question], Field(max_length=200)] | None = None
    tags: Annotated[list[Annotated[str, Field(min_length=1, max_length=100)]], Field(max_length=50)] = []
    enabled: bool = True
    valid_from: AwareDatetime | None = None
    valid_until: AwareDatetime | None = None
    version: Annotated[int, Field(ge=0)] | None = None

    def draft(self, name: str, editor: FaqEditor) -> FaqDraft:
        """What the entry of this name is to be."""
        entry = FaqEntry(name, self.question, self.answer, self.lang, tuple(self.variants or ()), tuple(self.tags))
        draft = FaqDraft(entry, self.enabled, self.valid_from, self.valid_until)
        return draft if self.variants is not None else editor.with_known_variants(draft)


class RestoreIn(BaseModel):
    """Which version of an entry to bring back.

    Attributes:
        version: the version to bring back, as the newest one.
    """

    model_config = ConfigDict(extra="forbid")

    version: Annotated[int, Field(ge=1)]


def build_router(
    authorised: Callable[..., None],
    editor: FaqEditor,
    clock: Clock,
    foresee: Callable[[FaqDraft], Effect],
    alike: Callable[[FaqEntry], Sequence[FaqEntry]],
) -> APIRouter:
    """The routes under `/v1/faq`.

    Args:
        authorised: lets only callers with the key in.
        editor: edits entries.
        clock: tells the time.
        foresee: says what an entry would change.
        alike: finds entries that ask nearly what an entry asks.

    Returns:
        The routes.
    """
    router = APIRouter(prefix="/v1/faq", dependencies=[Depends(authorised)])

    def others(entry: FaqEntry) -> list[dict[str, str]]:
        return [{"id": each.id, "question": each.question, "answer": each.answer} for each in alike(entry)]

    @router.get("")
    def list_entries(
        lang: str = "",
        q: str = "",
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        offset: Annotated[int, Query(ge=0)] = 0,
    ) -> dict[str, Any]:
        """The latest version of every entry, those that answer nobody included."""
        found = [each for each in editor.entries() if lang in ("", each.entry.lang) and _mentions(each.entry, q)]
        now = clock.now()
        return {"total": len(found), "entries": [_document(each, now) for each in found[offset : offset + limit]]}

    @router.post("/preview")
    def preview(
        draft: EntryIn, entry: Annotated[str, Query(alias="id", max_length=MAX_ID, pattern=ID_PATTERN)] = "preview"
    ) -> dict[str, Any]:
        """Which of the latest logged questions a draft would answer or be offered to, and which it would lose."""
        checked = editor.checked(editor.plain(draft.draft(entry, editor)))
        effect = foresee(checked)
        changes = {"gained": effect.gained, "lost": effect.lost, "offered": effect.offered}
        shown = {name: [asdict(change) for change in some[:_SHOWN]] for name, some in changes.items()}
        counts = {name: len(some) for name, some in changes.items()}
        return {"read": effect.read, **shown, "counts": counts, "alike": others(checked.entry)}

    @router.get("/{entry}")
    def get_entry(entry: str) -> dict[str, Any]:
        """An entry with its versions, the oldest first."""
        versions, now = _versions(editor, entry), clock.now()
        return _document(versions[-1], now) | {"versions": [_document(version, now) for version in versions]}

    @router.put("/{entry}", response_model=None)
    def put_entry(entry: EntryId, draft: EntryIn) -> dict[str, Any] | JSONResponse:
        """Adds an entry or replaces it; every process answers with it within a second."""
        try:
            stored = editor.put(draft.draft(entry, editor), _AUTHOR, draft.version)
            return _document(stored, clock.now()) | {"alike": others(stored.entry)}
        except EditedError as error:
            return JSONResponse({"error": str(error)}, 409)

    @router.delete("/{entry}")
    def disable_entry(entry: str) -> dict[str, Any]:
        """Has an entry answer nobody; its versions stay."""
        return _document(editor.disable(_versions(editor, entry)[-1], _AUTHOR), clock.now())

    @router.post("/{entry}/restore")
    def restore_entry(entry: str, wanted: RestoreIn) -> dict[str, Any]:
        """Brings an older version back as the newest one."""
        old = next((each for each in _versions(editor, entry) if each.version == wanted.version), None)
        if old is None:
            raise HTTPException(404, f"FAQ entry {entry!r} has no version {wanted.version}.")
        return _document(editor.restore(old, _AUTHOR), clock.now())

    return router


def _versions(editor: FaqEditor, entry: str) -> list[FaqVersion]:
    versions = editor.versions(entry)
    if not versions:
        raise HTTPException(404, f"There is no FAQ entry {entry!r}.")
    return versions


def _mentions(entry: FaqEntry, words: str) -> bool:
    return any(words.casefold() in text.casefold() for text in (entry.id, entry.question, *entry.variants))


def _document(version: FaqVersion, now: datetime) -> dict[str, Any]:
    return {
        **asdict(version.entry),
        "version": version.version,
        "enabled": version.enabled,
        "valid_from": version.valid_from.isoformat() if version.valid_from else None,
        "valid_until": version.valid_until.isoformat() if version.valid_until else None,
        "answers": version.answers_at(now),
        "author": version.author,
        "at": version.at.isoformat(),
    }
