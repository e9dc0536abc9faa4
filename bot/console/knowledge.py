"""The knowledge base in the console: find an entry, see what an edit would change, make it, take it back."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request, Response
from fastapi.responses import RedirectResponse

from bot.console.auth import Session
from bot.console.login import Guard
from bot.console.render import Pages
from bot.console.texts import TEXTS
from bot.domain.log_ports import ConversationLog
from bot.domain.ports import Clock
from bot.domain.records import FaqDraft, FaqVersion
from bot.errors import EditedError, InputError
from bot.knowledge.editing import MAX_ID, FaqEditor, check_id
from bot.knowledge.preview import Effect
from bot.web import RowNumber, page_language
from nlu.text import normalise
from retrieval.faq_ids import faq_id
from retrieval.types import FaqEntry

ENTRIES_SHOWN = 50
"""Entries, or questions, on one page of a list."""

CHANGES_SHOWN = 20
"""Logged questions that a preview lists of each kind."""

_Line = Annotated[str, Form(max_length=2_000)]
_Text = Annotated[str, Form(max_length=200_000)]


@dataclass(frozen=True, slots=True)
class FaqDesk:
    """What the pages of the knowledge base work with.

    Attributes:
        editor: edits entries.
        foresee: says what a draft would change.
        alike: finds entries that ask nearly what an entry asks.
    """

    editor: FaqEditor
    foresee: Callable[[FaqDraft], Effect]
    alike: Callable[[FaqEntry], Sequence[FaqEntry]]


class EntryForm:
    """What an admin has typed into the form of an entry; a dependency of the routes that take it."""

    def __init__(
        self,
        id: Annotated[str, Form(max_length=MAX_ID)] = "",  # noqa: A002
        question: _Line = "",
        answer: _Text = "",
        spoken: _Line = "",
        variants: _Text = "",
        tags: _Line = "",
        enabled: Annotated[bool, Form()] = False,
        valid_from: _Line = "",
        valid_until: _Line = "",
        version: Annotated[int | None, Form(ge=0)] = None,
    ) -> None:
        self.id, self.question, self.answer, self.spoken = _clean(id), _clean(question), _clean(answer), spoken
        self.variants, self.tags, self.enabled = _clean(variants), _clean(tags), enabled
        self.valid_from, self.valid_until, self.version = valid_from, valid_until, version

    @classmethod
    def of(cls, stored: FaqVersion) -> EntryForm:
        """The form as it shows a stored version."""
        entry = stored.entry
        return cls(
            entry.id,
            entry.question,
            entry.answer,
            entry.lang,
            "\n".join(entry.variants),
            ", ".join(entry.tags),
            stored.enabled,
            stored.valid_from.isoformat() if stored.valid_from else "",
            stored.valid_until.isoformat() if stored.valid_until else "",
            stored.version,
        )

    def draft(self, name: str) -> FaqDraft:
        """What the entry of this name is to be; a moment that is none is an `InputError`."""
        variants = tuple(line.strip() for line in self.variants.splitlines() if line.strip())
        tags = tuple(tag.strip() for tag in re.split(r"[,，]", self.tags) if tag.strip())
        entry = FaqEntry(name, self.question, self.answer, self.spoken, variants, tags)
        begins, ends = _moment("valid_from", self.valid_from), _moment("valid_until", self.valid_until)
        return FaqDraft(entry, self.enabled, begins, ends)


def add_knowledge(
    router: APIRouter, log: ConversationLog, desk: FaqDesk, clock: Clock, guard: Guard, pages: Pages
) -> None:
    """Adds the lists of entries and of questions without an answer.

    Args:
        router: takes the routes.
        log: has what customers asked.
        desk: what the pages work with.
        clock: tells which entries answer now.
        guard: lets agents through.
        pages: renders.
    """
    editor = desk.editor

    @router.get("/knowledge")
    def knowledge(
        request: Request,
        q: Annotated[str, Query(max_length=200)] = "",
        spoken: Annotated[str, Query(max_length=8)] = "",
        show: Literal["all", "off", "edited"] = "all",
        page: RowNumber = 1,
        session: Session = Depends(guard.page),
    ) -> Response:
        now, words = clock.now(), q.casefold().split()
        found = [
            each
            for each in editor.entries()
            if spoken in ("", each.entry.lang) and _shown(each, show, now) and _mentions(each.entry, words)
        ]
        last = max(1, -(-len(found) // ENTRIES_SHOWN))
        start = (min(page, last) - 1) * ENTRIES_SHOWN
        return pages.render(
            request,
            "knowledge",
            session=session,
            here=f"/console/knowledge?{urlencode({'q': q, 'spoken': spoken, 'show': show})}",
            entries=found[start : start + ENTRIES_SHOWN],
            total=len(found),
            page=min(page, last),
            pages=last,
            languages=editor.languages,
            now=now,
            q=q,
            spoken=spoken,
            show=show,
        )

    @router.get("/knowledge/unanswered")
    def unanswered(request: Request, session: Session = Depends(guard.page)) -> Response:
        here, questions = "/console/knowledge/unanswered", log.unanswered(ENTRIES_SHOWN)
        return pages.render(request, "knowledge_unanswered", session=session, here=here, questions=questions)


def add_entry(router: APIRouter, desk: FaqDesk, clock: Clock, guard: Guard, pages: Pages) -> None:
    """Adds the page of an entry, where admins edit.

    Args:
        router: takes the routes.
        desk: what the page works with.
        clock: tells which versions answer now.
        guard: lets agents through, and admins to the edits.
        pages: renders.
    """
    editor = desk.editor

    def entry_page(
        request: Request, session: Session, form: EntryForm, notice: str = "", status: int = 200, **more: Any
    ) -> Response:
        versions = editor.versions(form.id) if form.version is not None else []
        here = f"/console/knowledge/entry?{urlencode({'id': form.id})}" if versions else "/console/knowledge/new"
        values = {"done": "", "effect": None, "alike": (), "shown": CHANGES_SHOWN, **more}
        return pages.render(
            request,
            "knowledge_entry",
            status=status,
            session=session,
            here=here,
            form=form,
            versions=versions[::-1],
            languages=editor.languages,
            notice=notice,
            now=clock.now(),
            **values,
        )

    @router.get("/knowledge/entry")
    def entry(
        request: Request,
        id: Annotated[str, Query(max_length=1000)],  # noqa: A002
        done: Literal["", "saved", "restored"] = "",
        session: Session = Depends(guard.page),
    ) -> Response:
        versions = editor.versions(id)
        if not versions:
            raise HTTPException(404)
        others = desk.alike(versions[-1].entry) if done else ()
        return entry_page(request, session, EntryForm.of(versions[-1]), done=done, alike=others)

    @router.get("/knowledge/new")
    def new(
        request: Request,
        question: Annotated[str, Query(max_length=20_000)] = "",
        spoken: Annotated[str, Query(max_length=8)] = "",
        session: Session = Depends(guard.admin),
    ) -> Response:
        lang = spoken if spoken in editor.languages else editor.languages[0]
        return entry_page(request, session, EntryForm(question=question[:1000], spoken=lang, enabled=True))

    @router.post("/knowledge/entry")
    def put(
        request: Request,
        do: Annotated[Literal["save", "preview"], Form()] = "save",
        form: EntryForm = Depends(),
        session: Session = Depends(guard.admin_form),
    ) -> Response:
        if form.version is not None and not editor.versions(form.id):
            raise HTTPException(404)
        try:
            name = form.id if form.version is not None else _new_id(form, editor)
            draft = editor.checked(editor.plain(form.draft(name)))
            if do == "preview":
                effect, others = desk.foresee(draft), desk.alike(draft.entry)
                return entry_page(request, session, form, effect=effect, alike=others)
            editor.store(draft, session.agent.name, form.version or 0)
        except EditedError:
            return entry_page(request, session, form, _text(request, "faq_edited_meanwhile"), 409)
        except InputError as error:
            return entry_page(request, session, form, _text(request, "input_error").format(error=error), 422)
        return RedirectResponse(f"/console/knowledge/entry?{urlencode({'id': name, 'done': 'saved'})}", 303)

    @router.post("/knowledge/restore")
    def restore(
        id: Annotated[str, Form(max_length=1000)],  # noqa: A002
        version: Annotated[int, Form(ge=0)],
        session: Session = Depends(guard.admin_form),
    ) -> Response:
        old = next((each for each in editor.versions(id) if each.version == version), None)
        if old is None:
            raise HTTPException(404)
        editor.restore(old, session.agent.name)
        return RedirectResponse(f"/console/knowledge/entry?{urlencode({'id': id, 'done': 'restored'})}", 303)


def _clean(text: str) -> str:
    """A field's text with line ends as the bot writes them, and without what no database stores."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "").strip()


def _moment(name: str, text: str) -> datetime | None:
    if not text.strip():
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InputError(f"{name}: expected a moment, got {text[:40]!r}; leave it empty for no limit") from None
    if moment.tzinfo is None:
        raise InputError(f"{name}: expected a moment with its time zone, got {text[:40]!r}; leave it empty")
    return moment


def _new_id(form: EntryForm, editor: FaqEditor) -> str:
    """The id of a new entry: as typed, or made of its question; one that is taken already is an `InputError`."""
    taken = {each.entry.id for each in editor.entries()}
    if form.id:
        check_id(form.id)
        if form.id in taken:
            raise InputError(f"id: {form.id!r} is taken; choose another one, or edit that entry")
        return form.id
    name = faq_id(normalise(form.question), form.spoken)
    stem = name.removesuffix(f".{form.spoken}")
    names = [name, *(f"{stem}-{number}.{form.spoken}" for number in range(2, len(taken) + 3))]
    return next(name for name in names if name not in taken)


def _shown(version: FaqVersion, show: str, now: datetime) -> bool:
    if show == "off":
        return not version.answers_at(now)
    return show == "all" or version.version > 0


def _mentions(entry: FaqEntry, words: Sequence[str]) -> bool:
    texts = "\n".join((entry.id, entry.question, entry.answer, *entry.variants, *entry.tags)).casefold()
    return all(word in texts for word in words)


def _text(request: Request, key: str) -> str:
    return TEXTS[page_language(request)][key]
