"""The page of one conversation: what was said, why the bot answered so, and what an agent does about it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request, Response
from fastapi.responses import RedirectResponse

from bot.console.auth import Session
from bot.console.login import Guard
from bot.console.render import Pages
from bot.console.texts import TEXTS
from bot.console.views import calls, show_turn, summarise
from bot.desk.corrections import Corrections
from bot.desk.handover import LONGEST_REPLY, Desk
from bot.domain.conversation import Status
from bot.domain.log_ports import ConversationLog
from bot.domain.ports import Knowledge
from bot.domain.records import Agent, Escalation
from bot.errors import HeldError, InputError
from bot.web import RowNumber, button_labels, page_language

TURNS_SHOWN = 50
TURNS_AT_MOST = 500


class ConversationPage:
    """Shows a conversation, whole or the part that changes."""

    def __init__(self, log: ConversationLog, knowledge: Knowledge, pages: Pages) -> None:
        self._log = log
        self._knowledge = knowledge
        self._pages = pages

    def show(
        self,
        request: Request,
        session: Session,
        conversation: str,
        *,
        notice: str = "",
        draft: str = "",
        done: str = "",
    ) -> Response:
        """The whole page.

        Args:
            request: what is answered.
            session: who looks.
            conversation: its id.
            notice: what went wrong, in the agent's language.
            draft: a reply that was not sent.
            done: what was done just now, if anything.

        Returns:
            The page, with status 409 where it has a notice.
        """
        limit = _turns_asked(request)
        values = self._values(session, conversation, limit)
        return self._pages.render(
            request,
            "conversation",
            status=409 if notice else 200,
            notice=notice,
            draft=draft,
            done=done,
            key=secrets.token_urlsafe(16),
            longest=LONGEST_REPLY,
            faq_entries=self._knowledge.faq_entries(),
            **values,
        )

    def act(
        self,
        request: Request,
        session: Session,
        conversation: str,
        does: Callable[[], None],
        *,
        done: str,
        draft: str = "",
    ) -> Response:
        """Does something to the conversation.

        Args:
            request: what is answered.
            session: who acts.
            conversation: its id.
            does: the act; an `InputError` is shown on the page.
            done: the act's name.
            draft: a reply to keep where it was not sent.

        Returns:
            A redirection to the page, or the page with what went wrong.
        """
        try:
            does()
        except InputError as error:
            notice = _explain(error, page_language(request))
            return self.show(request, session, conversation, notice=notice, draft=draft)
        return RedirectResponse(f"/console/conversation?{urlencode({'id': conversation, 'done': done})}", 303)

    def part(self, request: Request, session: Session, conversation: str) -> Response:
        """The part that changes."""
        values = self._values(session, conversation, _turns_asked(request))
        return self._pages.part(request, "conversation_part", **values)

    def _values(self, session: Session, conversation: str, limit: int) -> dict[str, Any]:
        head = self._log.conversation(conversation)
        if head is None:
            raise HTTPException(404)
        turns = self._log.turns(conversation, limit)
        labels = button_labels(turns)
        escalation = self._log.escalation(conversation)
        holder = escalation.agent if escalation and escalation.status == "held" else ""
        snapshot = self._log.snapshot(conversation)
        mine = holder in ("", session.agent.name)
        waiting, own = self._log.escalations("open"), self._log.escalations("held", agent=session.agent.name)
        return {
            "session": session,
            "here": f"/console/conversation?{urlencode({'id': conversation})}",
            "head": head,
            "reason": escalation.reason if escalation else "",
            "priority": escalation.priority.name.lower() if escalation else "normal",
            "calls": calls(waiting, own, session.agent.name),
            "summary": summarise(turns),
            "blocked": snapshot is not None and snapshot[0].blocked,
            "vip": snapshot is not None and snapshot[0].vip,
            "notes": self._log.notes(conversation),
            "colleagues": self._colleagues(escalation, session.agent),
            "holder": holder,
            "may_take": not holder,
            "may_release": (mine or session.agent.role == "admin") and head.status is not Status.CLOSED,
            "may_hand_back": head.status in (Status.AGENT, Status.WAITING),
            "turns": [
                show_turn(turn, self._log.corrections(turn.id) if turn.corrections else (), labels) for turn in turns
            ],
            "earlier": len(turns) == limit and limit < TURNS_AT_MOST,
            "limit": limit,
            "turns_at_most": TURNS_AT_MOST,
            "choices": {head: self._knowledge.labels(head) for head in ("intent", "emotion")},
        }

    def _colleagues(self, escalation: Escalation | None, agent: Agent) -> list[str]:
        """To whom the conversation can be passed on, by an agent who may."""
        if escalation is None or escalation.status != "held":
            return []
        if escalation.agent != agent.name and agent.role != "admin":
            return []
        return [other.name for other in self._log.agents() if other.name != escalation.agent]


def add_conversation(router: APIRouter, page: ConversationPage, desk: Desk, guard: Guard) -> None:
    """Adds the conversation's page and everything an agent does there.

    Args:
        router: takes the routes.
        page: shows the conversation.
        desk: acts on it.
        guard: lets agents through.
    """

    def add_act(name: str, does: Callable[[str, Agent], None]) -> None:
        @router.post(f"/conversation/{name}")
        def handle(request: Request, id: Annotated[str, Form()], session: Session = Depends(guard.form)) -> Response:  # noqa: A002
            return page.act(request, session, _clean(id), lambda: does(_clean(id), session.agent), done=name)

    @router.get("/conversation")
    def show(
        request: Request,
        id: Annotated[str, Query()],  # noqa: A002
        done: Annotated[str, Query(max_length=20)] = "",
        session: Session = Depends(guard.page),
    ) -> Response:
        return page.show(request, session, _clean(id), done=done)

    @router.get("/conversation/part")
    def show_part(request: Request, id: Annotated[str, Query()], session: Session = Depends(guard.part)) -> Response:  # noqa: A002
        return page.part(request, session, _clean(id))

    add_act("take", desk.take)
    add_act("hand-back", desk.hand_back)
    add_act("close", desk.close)
    add_act("block", desk.block)
    add_act("unblock", desk.unblock)
    add_act("important", desk.make_important)
    add_act("usual", desk.make_usual)

    @router.post("/conversation/transfer")
    def transfer(
        request: Request,
        id: Annotated[str, Form()],  # noqa: A002
        to: Annotated[str, Form(max_length=200)],
        session: Session = Depends(guard.form),
    ) -> Response:
        conversation = _clean(id)
        return page.act(
            request, session, conversation, lambda: desk.transfer(conversation, session.agent, to), done="transfer"
        )

    @router.post("/conversation/note")
    def note(
        request: Request,
        id: Annotated[str, Form()],  # noqa: A002
        text: Annotated[str, Form()] = "",
        session: Session = Depends(guard.form),
    ) -> Response:
        conversation = _clean(id)
        return page.act(
            request, session, conversation, lambda: desk.note(conversation, session.agent, text), done="note"
        )

    @router.post("/conversation/reply")
    def reply(
        request: Request,
        id: Annotated[str, Form()],  # noqa: A002
        text: Annotated[str, Form()] = "",
        key: Annotated[str, Form(max_length=64)] = "",
        session: Session = Depends(guard.form),
    ) -> Response:
        conversation = _clean(id)
        once = f"{session.agent.id}:{key}" if key else None
        return page.act(
            request,
            session,
            conversation,
            lambda: desk.reply(conversation, session.agent, text, key=once),
            done="reply",
            draft=text,
        )


def add_correction(
    router: APIRouter, page: ConversationPage, corrections: Corrections, log: ConversationLog, guard: Guard
) -> None:
    """Adds what the form under each turn posts.

    Args:
        router: takes the route.
        page: shows the conversation.
        corrections: stores them.
        log: finds the conversation of a turn.
        guard: lets agents through.
    """

    @router.post("/correct")
    def correct(
        request: Request,
        turn: Annotated[RowNumber, Form()],
        intent: Annotated[str, Form()] = "",
        emotion: Annotated[str, Form()] = "",
        faq: Annotated[str, Form()] = "",
        session: Session = Depends(guard.form),
    ) -> Response:
        corrected = log.turn(turn)
        if corrected is None:
            raise HTTPException(404)
        values = {"intent": intent, "emotion": emotion, "faq": faq.strip()}
        asked = {field: value for field, value in values.items() if value not in ("", corrected.corrections.get(field))}
        answer = page.act(
            request,
            session,
            corrected.conversation,
            lambda: corrections.correct(corrected, asked, session.agent),
            done="correct",
        )
        if "location" in answer.headers:
            answer.headers["location"] += f"#turn-{turn}"
        return answer


def _explain(error: InputError, lang: str) -> str:
    texts = TEXTS[lang]
    if isinstance(error, HeldError):
        return texts["held_error"].format(agent=error.holder)
    return texts["input_error"].format(error=error)


def _clean(conversation: str) -> str:
    return conversation.replace("\x00", "")


def _turns_asked(request: Request) -> int:
    return TURNS_AT_MOST if request.query_params.get("turns") == "all" else TURNS_SHOWN
