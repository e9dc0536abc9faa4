"""Logging in and out of the console, and what guards every other page."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse

from bot.console.auth import SESSION_LIFE, Session, Sessions, TooManyTriesError, same_secret
from bot.console.render import Pages
from bot.web import client_address, set_cookie

SESSION_COOKIE = "frontdesk_session"
VISIT_COOKIE = "frontdesk_login"

LOGINS_AT_A_TIME = 2
"""Each password that is checked takes 64 MiB and a thread; whoever comes meanwhile waits with neither."""


class Guard:
    """Dependencies that let only logged-in agents through."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def find(self, request: Request) -> Session | None:
        """The session of a request, if it has one."""
        return self._sessions.find(request.cookies.get(SESSION_COOKIE, ""))

    def page(self, request: Request) -> Session:
        """Lets agents through and sends everybody else to the login page."""
        session = self.find(request)
        if session is None:
            raise HTTPException(303, headers={"Location": "/console/login"})
        return session

    def part(self, request: Request) -> Session:
        """Lets agents through; a script that asks for part of a page learns that it must log in."""
        session = self.find(request)
        if session is None:
            raise HTTPException(401)
        return session

    def admin(self, request: Request) -> Session:
        """Lets admins through."""
        session = self.page(request)
        if session.agent.role != "admin":
            raise HTTPException(403)
        return session

    def form(self, request: Request, csrf: Annotated[str, Form()] = "") -> Session:
        """Lets forms through that an agent's own page sent."""
        session = self.page(request)
        if not same_secret(session.csrf, csrf):
            raise HTTPException(403)
        return session

    def admin_form(self, request: Request, csrf: Annotated[str, Form()] = "") -> Session:
        """Lets forms through that an admin's own page sent."""
        session = self.form(request, csrf)
        if session.agent.role != "admin":
            raise HTTPException(403)
        return session


def add_login(router: APIRouter, sessions: Sessions, guard: Guard, pages: Pages) -> None:
    """Adds the pages to log in and out.

    Args:
        router: takes the routes.
        sessions: opens and ends sessions.
        guard: knows who is logged in.
        pages: renders.
    """
    turn = asyncio.Semaphore(LOGINS_AT_A_TIME)

    def form(request: Request, notice: str = "", name: str = "", status: int = 200) -> Response:
        visit = request.cookies.get(VISIT_COOKIE) or sessions.visit()
        csrf = sessions.visit_csrf(visit)
        page = pages.render(request, "login", status=status, notice=notice, name=name, csrf=csrf)
        set_cookie(page, request, VISIT_COOKIE, visit, path="/console", max_age=3600)
        return page

    @router.get("/login")
    def show_login(request: Request) -> Response:
        return RedirectResponse("/console", 303) if guard.find(request) else form(request)

    def open_session(request: Request, name: str, password: str, csrf: str) -> Response:
        visit = request.cookies.get(VISIT_COOKIE, "")
        if not visit or not same_secret(sessions.visit_csrf(visit), csrf):
            return form(request, "log_in_expired", status=403)
        name = name.replace("\x00", "").strip()[:100]
        try:
            token = sessions.log_in(name, password, client_address(request))
        except TooManyTriesError:
            return form(request, "log_in_often", name, status=429)
        if token is None:
            return form(request, "log_in_failed", name, status=401)
        earlier = guard.find(request)
        if earlier:
            sessions.log_out(earlier)
        answer = RedirectResponse("/console", 303)
        life = int(SESSION_LIFE.total_seconds())
        set_cookie(answer, request, SESSION_COOKIE, token, path="/console", max_age=life)
        answer.delete_cookie(VISIT_COOKIE, path="/console")
        return answer

    @router.post("/login")
    async def log_in(
        request: Request,
        name: Annotated[str, Form()] = "",
        password: Annotated[str, Form()] = "",
        csrf: Annotated[str, Form()] = "",
    ) -> Response:
        async with turn:
            return await run_in_threadpool(open_session, request, name, password, csrf)

    @router.post("/logout")
    def log_out(session: Session = Depends(guard.form)) -> Response:
        sessions.log_out(session)
        answer = RedirectResponse("/console/login", 303)
        answer.delete_cookie(SESSION_COOKIE, path="/console")
        return answer
