"""The web chat at /chat: a page, and the JSON that its script exchanges with the conversation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from bot.channels.web_messages import LONGEST_MESSAGE, ChatMessage, Feedback, WebConversations, parse
from bot.channels.web_texts import TEXTS
from bot.channels.web_visitors import Visitors, is_own_page
from bot.customer_data import FILE_NAME, own_data
from bot.domain.log_ports import ConversationLog
from bot.domain.messages import Reply
from bot.domain.ports import Clock, Intake, LiveState
from bot.errors import InputError
from bot.web import PageError, PageFiles, SecuredRoute, client_address, name_in, page_language

BODY_BYTES = 64 * 1024

_environment = Environment(loader=PackageLoader("bot.channels"), autoescape=True, undefined=StrictUndefined)


class ChatRoute(SecuredRoute):
    """A route of the web chat: errors are JSON with a sentence in the visitor's language."""

    def explain(self, request: Request, error: PageError) -> Response:
        """Turns an error into what the page's script shows."""
        status, code = 503, "unavailable"
        if isinstance(error, HTTPException):
            status, code = error.status_code, str(error.detail)
        elif isinstance(error, RequestValidationError | InputError):
            status, code = 422, "invalid"
        text = TEXTS[page_language(request)][code].format(limit=LONGEST_MESSAGE)
        headers = {"Retry-After": "30"} if status in (429, 503) else None
        return JSONResponse({"error": code, "text": text}, status, headers=headers)


def mount_static(app: FastAPI) -> None:
    """Serves the web chat's style sheet and script under /chat/static."""
    app.mount("/chat/static", PageFiles(directory=Path(__file__).parent / "static"), name="chat-static")


def build_router(
    *,
    intake: Intake,
    log: ConversationLog,
    state: LiveState,
    clock: Clock,
    secret_key: str,
    bot_names: Mapping[str, str],
    greetings: Mapping[str, Reply],
    address_rate: int = 3000,
) -> APIRouter:
    """Builds the web chat's routes.

    Args:
        intake: answers messages.
        log: what was said before, and what agents say.
        state: live state, for the rate limit.
        clock: tells when a message came.
        secret_key: signs the visitors' cookies.
        bot_names: language to the name in the header.
        greetings: the first words with their buttons, by language; `en` must be there.
        address_rate: messages a minute that one address may send in all.

    Returns:
        A router with everything under /chat but the static files (see `mount_static`).
    """
    visitors = Visitors(secret_key)
    conversations = WebConversations(
        intake=intake, log=log, state=state, clock=clock, greetings=greetings, address_rate=address_rate
    )
    router = APIRouter(prefix="/chat", route_class=ChatRoute, include_in_schema=False)

    def visitor_of(request: Request) -> str:
        visitor = visitors.find(request)
        if visitor is None:
            raise HTTPException(403, "forbidden")
        return visitor

    def poster_of(request: Request) -> str:
        if not is_own_page(request):
            raise HTTPException(403, "foreign")
        return visitor_of(request)

    @router.get("")
    def page(request: Request) -> Response:
        lang = page_language(request)
        response = _render_page(lang, name_in(bot_names, lang))
        visitors.remember(request, response)
        return response

    @router.get("/history")
    def history(request: Request, visitor: str = Depends(visitor_of)) -> Response:
        return JSONResponse({"messages": conversations.history(visitor, page_language(request))})

    @router.get("/messages")
    def since(after: Annotated[int, Query(ge=0, lt=2**31)] = 0, visitor: str = Depends(visitor_of)) -> Response:
        return JSONResponse({"messages": conversations.since(visitor, after)})

    @router.get("/my-data")
    def my_data(visitor: str = Depends(visitor_of)) -> Response:
        headers = {"Content-Disposition": f'attachment; filename="{FILE_NAME}"'}
        return Response(own_data(log, f"web:{visitor}"), media_type="application/json", headers=headers)

    @router.post("/messages")
    async def post(request: Request, visitor: str = Depends(poster_of)) -> Response:
        sent = parse(ChatMessage, await _read_body(request))
        address = client_address(request)
        answer = await run_in_threadpool(conversations.post, visitor, sent, page_language(request), address)
        return JSONResponse({"messages": answer})

    @router.post("/feedback")
    async def feedback(request: Request, visitor: str = Depends(poster_of)) -> Response:
        given = parse(Feedback, await _read_body(request))
        await run_in_threadpool(conversations.judge, visitor, given)
        return JSONResponse({"turn": given.turn, "value": given.value})

    return router


def _render_page(lang: str, bot_name: str) -> Response:
    other = "en" if lang == "zh" else "zh"
    template = _environment.get_template("chat.html")
    return HTMLResponse(
        template.render(t=TEXTS[lang], lang=lang, other=other, bot_name=bot_name, limit=LONGEST_MESSAGE)
    )


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES:
            raise HTTPException(413, "too_long")
    return bytes(body)
