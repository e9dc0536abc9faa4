"""The console: the queue of conversations and the audit trail, with the other pages put together."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter, Depends, FastAPI, Request, Response

from bot.console.auth import Session, Sessions
from bot.console.conversation import ConversationPage, add_conversation, add_correction
from bot.console.desk import add_desk
from bot.console.knowledge import FaqDesk, add_entry, add_knowledge
from bot.console.login import Guard, add_login
from bot.console.media import add_media
from bot.console.render import ConsoleRoute, Pages
from bot.console.views import QueueRow, calls, conversation_row, queue_row
from bot.desk.corrections import Corrections
from bot.desk.handover import Desk
from bot.domain.log_ports import ConversationLog
from bot.domain.ports import Attachments, Clock, Knowledge, LiveState
from bot.domain.records import Escalation, TurnView
from bot.domain.rules import ServiceLevel
from bot.web import PageFiles

ROWS_SHOWN = 100

Show = Literal["open", "mine", "held", "all"]


def mount_static(app: FastAPI) -> None:
    """Serves the console's style sheets and scripts under /console/static."""
    app.mount("/console/static", PageFiles(directory=Path(__file__).parent / "static"), name="console-static")


def build_router(
    *,
    log: ConversationLog,
    state: LiveState,
    desk: Desk,
    knowledge: Knowledge,
    faq: FaqDesk,
    secret_key: str,
    bot_names: Mapping[str, str],
    sla: ServiceLevel,
    bad_moods: Collection[str] = (),
    attachments: Attachments | None = None,
) -> APIRouter:
    """Builds the console's routes.

    Args:
        log: the conversation log.
        state: live state, for locks and the login's rate limit.
        desk: what agents do to conversations.
        knowledge: the labels and FAQ entries that corrections may name.
        faq: what edits the knowledge base.
        secret_key: signs CSRF tokens.
        bot_names: language to the name in the header.
        sla: how soon customers are to be helped.
        bad_moods: the emotions whose share is shown day by day.
        attachments: fetches what customers sent beside their words; None where no channel has any.

    Returns:
        A router with everything under /console but the static files (see `mount_static`).
    """
    sessions = Sessions(log=log, state=state, clock=desk.clock, secret_key=secret_key)
    guard = Guard(sessions)
    pages = Pages(bot_names)
    router = APIRouter(
        prefix="/console", route_class=ConsoleRoute, include_in_schema=False, default_response_class=Response
    )
    add_login(router, sessions, guard, pages)
    add_queue(router, log, desk.clock, sla, guard, pages)
    add_desk(router, log, desk.clock, sla, bad_moods, guard, pages)
    page = ConversationPage(log, knowledge, pages)
    add_conversation(router, page, desk, guard)
    add_correction(router, page, Corrections(log, state, knowledge), log, guard)
    add_media(router, log, attachments, guard)
    add_knowledge(router, log, faq, desk.clock, guard, pages)
    add_entry(router, faq, desk.clock, guard, pages)
    add_audit(router, log, guard, pages)
    return router


def add_queue(
    router: APIRouter, log: ConversationLog, clock: Clock, sla: ServiceLevel, guard: Guard, pages: Pages
) -> None:
    """Adds the queue: who waits, whom the agent holds, who is held, and all conversations.

    Args:
        router: takes the routes.
        log: the conversation log.
        clock: tells how long somebody waits.
        sla: tells who waits for too long.
        guard: lets agents through.
        pages: renders.
    """

    def rows(show: Show, shown: Mapping[str, list[Escalation]]) -> list[QueueRow]:
        now = clock.now()
        if show == "all":
            return [conversation_row(head, _last(log, head.id), now) for head in log.conversations(ROWS_SHOWN)]
        return [queue_row(escalation, _last(log, escalation.conversation), now, sla) for escalation in shown[show]]

    def values(session: Session, show: Show) -> dict[str, Any]:
        waiting, held = (log.escalations(status, ROWS_SHOWN) for status in ("open", "held"))
        mine = log.escalations("held", ROWS_SHOWN, session.agent.name)
        shown = {"open": waiting, "mine": mine, "held": held}
        return {
            "session": session,
            "here": f"/console?show={show}",
            "show": show,
            "counts": {name: len(escalations) for name, escalations in shown.items()},
            "calls": calls(waiting, mine, session.agent.name),
            "rows": rows(show, shown),
            "rows_shown": ROWS_SHOWN,
        }

    @router.get("")
    def queue(request: Request, show: Show = "open", session: Session = Depends(guard.page)) -> Response:
        return pages.render(request, "queue", **values(session, show))

    @router.get("/queue/part")
    def queue_part(request: Request, show: Show = "open", session: Session = Depends(guard.part)) -> Response:
        return pages.part(request, "queue_part", **values(session, show))


def add_audit(router: APIRouter, log: ConversationLog, guard: Guard, pages: Pages) -> None:
    """Adds the audit trail, for admins.

    Args:
        router: takes the route.
        log: the conversation log.
        guard: lets admins through.
        pages: renders.
    """

    @router.get("/audit")
    def audit(request: Request, session: Session = Depends(guard.admin)) -> Response:
        return pages.render(request, "audit", session=session, here="/console/audit", entries=log.audit_trail())


def _last(log: ConversationLog, conversation: str) -> TurnView | None:
    return next(iter(log.turns(conversation, 1)), None)
