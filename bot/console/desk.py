"""The console's pages about the agents' work: who is there, how soon customers are helped, and links from notices."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request, Response
from fastapi.responses import RedirectResponse

from bot.console.auth import Session
from bot.console.login import Guard
from bot.console.render import Pages
from bot.desk.assignment import is_online
from bot.desk.service_level import measure
from bot.domain.log_ports import ConversationLog
from bot.domain.ports import Clock
from bot.domain.rules import ServiceLevel
from bot.web import RowNumber

PERIODS = (7, 30)
"""Days over which the service is measured."""

TREND_DAYS = 14
"""Days whose course is shown, each by itself."""

TRIES_UNSEEN = 3
"""How often a delivery may fail before the message is shown, although it is tried on."""


def add_desk(
    router: APIRouter,
    log: ConversationLog,
    clock: Clock,
    sla: ServiceLevel,
    bad_moods: Collection[str],
    guard: Guard,
    pages: Pages,
) -> None:
    """Adds the page of the service, the switch between available and away, and the address that notices name.

    Args:
        router: takes the routes.
        log: the conversation log.
        clock: tells the time.
        sla: how soon customers are to be helped.
        bad_moods: the emotions whose share is shown day by day.
        guard: lets agents through.
        pages: renders.
    """

    def values(session: Session) -> dict[str, Any]:
        now = clock.now()
        longest = now - timedelta(days=max(PERIODS))
        times = log.service_times(longest)
        periods = []
        for days in PERIODS:
            begin = now - timedelta(days=days)
            periods.append((days, measure([time for time in times if time.opened_at >= begin], sla, now)))
        return {
            "session": session,
            "here": "/console/service",
            "sla": sla,
            "periods": periods,
            "undelivered": log.undelivered(longest, TRIES_UNSEEN),
            "loads": [(load, is_online(load.agent, now)) for load in log.agent_loads()],
        }

    @router.get("/service")
    def service(request: Request, session: Session = Depends(guard.page)) -> Response:
        # Only here, not with the part that asks every few seconds: it reads all turns of these days.
        trend = log.trend(clock.now() - timedelta(days=TREND_DAYS), bad_moods)
        return pages.render(request, "service", trend=trend, bad_moods=sorted(bad_moods), **values(session))

    @router.get("/service/part")
    def service_part(request: Request, session: Session = Depends(guard.part)) -> Response:
        return pages.part(request, "service_part", **values(session))

    @router.post("/presence")
    def presence(
        away: Annotated[bool, Form()],
        back: Annotated[str, Form(max_length=1000)] = "",
        session: Session = Depends(guard.form),
    ) -> Response:
        log.set_away(session.agent.id, away=away)
        log.audit(session.agent.name, "away" if away else "available", "")
        return RedirectResponse(back if back.startswith("/console") else "/console", 303)

    @router.get("/escalation")
    def escalation(id: Annotated[RowNumber, Query()], session: Session = Depends(guard.page)) -> Response:  # noqa: A002, ARG001
        conversation = log.escalated_conversation(id)
        if conversation is None:
            raise HTTPException(404)
        return RedirectResponse(f"/console/conversation?{urlencode({'id': conversation})}", 303)
