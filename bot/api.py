"""The HTTP API: messages and conversations for callers with the key, health and metrics for operators."""

from __future__ import annotations

import asyncio
import hmac
import uuid
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any, TypeVar

import structlog
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import Headers
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.domain.log_ports import ConversationLog
from bot.domain.messages import IncomingMessage, Reply
from bot.domain.ports import Clock, Intake
from bot.domain.records import TurnView
from bot.errors import FrontdeskError, InputError, UnavailableError
from bot.web import RowNumber

log_line = structlog.get_logger(__name__)

T = TypeVar("T")

MAX_TEXT = 100_000
MOST_TURNS = 200
"""How many turns of a conversation are told at once."""

# Of the 40 threads that Starlette has for all routes; what is left answers the console and /healthz meanwhile.
_SIDE_BY_SIDE = 32
_MAX_BODY = 1_000_000
_TOO_LARGE = {"error": f"A body of at most {_MAX_BODY} bytes is expected."}
_LATER = {"Retry-After": "2"}


class MessageIn(BaseModel):
    """A customer's message from a caller of the API.

    Attributes:
        conversation: the caller's name for the conversation.
        text: what the customer wrote.
        lang: its language, where the caller knows it.
        explain: whether the answer says which tokens carried the intent, and which training examples it is like.
        id: the caller's id of the message; one that was seen before gets the first answer again.
    """

    model_config = ConfigDict(extra="forbid")

    conversation: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\s\x00-\x1f]+$")]
    text: Annotated[str, Field(max_length=MAX_TEXT)]
    lang: Annotated[str, Field(min_length=2, max_length=8)] | None = None
    id: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    explain: bool = False


def create_app(
    *,
    api_key: str,
    intake: Intake,
    log: ConversationLog,
    clock: Clock,
    ready: Callable[[], list[str]],
    apology: Callable[[IncomingMessage], Reply],
    version: str,
    explain: Callable[[str], dict[str, Any] | None] = lambda _: None,
    waiting: int = 1000,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None,
) -> FastAPI:
    """Builds the application with the API's routes; pages are added by whoever builds it.

    Args:
        api_key: what callers of `/v1` show.
        intake: takes messages.
        log: the durable truth.
        clock: tells the time.
        ready: names what is missing before messages can be answered; empty when all is there.
        apology: the reply while a service is away.
        version: Frontdesk's version.
        explain: says why a text is read as it is; None where there is nothing to explain.
        waiting: how many messages of callers may wait for their answers at once.
        lifespan: what starts before the first request and ends after the last.

    Returns:
        The application.
    """
    app = FastAPI(title="Frontdesk", version=version, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.include_router(_messages(Authorisation(api_key), intake, log, clock, apology, explain, waiting))
    app.include_router(_operations(ready))
    app.add_exception_handler(RequestValidationError, _bad_request)
    app.add_exception_handler(UnavailableError, _unavailable)
    app.add_exception_handler(InputError, _bad_input)
    app.add_exception_handler(413, _too_large)
    app.add_middleware(_BodyLimit)
    return app


class Authorisation:
    """Lets only callers with the key in; a FastAPI dependency.

    Args:
        api_key: what callers show; an empty one lets nobody in.
    """

    def __init__(self, api_key: str) -> None:
        self._key = api_key.encode()

    def __call__(self, authorization: Annotated[str, Header()] = "") -> None:
        """Refuses a caller without the key."""
        scheme, _, given = authorization.partition(" ")
        right = bool(self._key) and hmac.compare_digest(given.strip().encode(), self._key)
        if scheme.lower() != "bearer" or not right:
            raise HTTPException(401, "Send the header `Authorization: Bearer <FRONTDESK_API_KEY>`.")


class _WaitingRoom:
    """Lets some messages be answered side by side, others wait, and refuses those beyond.

    Args:
        most: how many may be there, those included that are being answered.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._there = 0
        self._served = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def answered(self, answer: Callable[[], T]) -> T:
        """Has a message answered in a thread; a 429 where too many wait."""
        if self._there >= self._most:
            raise HTTPException(429, "Too many messages wait for an answer. Send it again soon.", headers=_LATER)
        self._there += 1
        try:
            async with self._served:
                return await run_in_threadpool(answer)
        finally:
            self._there -= 1


def _messages(
    authorised: Authorisation,
    intake: Intake,
    log: ConversationLog,
    clock: Clock,
    apology: Callable[[IncomingMessage], Reply],
    explain: Callable[[str], dict[str, Any] | None],
    waiting: int,
) -> APIRouter:
    router = APIRouter(prefix="/v1", dependencies=[Depends(authorised)])
    room = _WaitingRoom(waiting)

    @router.post("/messages", response_model=None)
    async def post_message(message: MessageIn) -> dict[str, Any] | JSONResponse:
        """Answers a message."""
        return await room.answered(partial(answer_message, message))

    def answer_message(message: MessageIn) -> dict[str, Any] | JSONResponse:
        incoming = IncomingMessage(
            id=message.id or uuid.uuid4().hex,
            conversation=message.conversation,
            text=message.text,
            at=clock.now(),
            lang=message.lang,
        )
        try:
            answer = intake.answer(incoming)
        except UnavailableError as error:
            document = {"error": str(error), "id": incoming.id, "replies": [asdict(apology(incoming))]}
            return JSONResponse(document, 503, headers=_LATER)
        return answer | _explanation(explain, message.text) if message.explain else answer

    @router.get("/conversations/{conversation:path}")
    def get_conversation(
        conversation: str,
        limit: Annotated[int, Query(ge=1, le=MOST_TURNS)] = MOST_TURNS,
        before: Annotated[RowNumber | None, Query()] = None,
    ) -> dict[str, Any]:
        """A conversation with its latest turns in order; `earlier` is the `before` that gives those before them."""
        head = log.conversation(conversation)
        if head is None:
            raise HTTPException(404, f"There is no conversation {conversation!r}.")
        found = log.turns(conversation, limit + 1, before)
        shown = found[-limit:]
        return {
            "id": head.id,
            "status": head.status.value,
            "lang": head.lang,
            "turns": [_turn_document(turn) for turn in shown],
            "earlier": shown[0].id if len(found) > limit else None,
        }

    return router


def _explanation(explain: Callable[[str], dict[str, Any] | None], text: str) -> dict[str, Any]:
    """Why a text is read as it is, or why nobody can say; by then it is answered, so this never fails."""
    try:
        return {"explanation": explain(text)}
    except Exception as error:
        log_line.exception("explanation_failed")
        reason = str(error) if isinstance(error, FrontdeskError) else "An internal error; the log has it."
        return {"explanation": None, "explanation_error": reason}


def _turn_document(turn: TurnView) -> dict[str, Any]:
    return {
        "id": turn.message_id,
        "turn": turn.id,
        "at": turn.at.isoformat(),
        "text": turn.text,
        "replies": [
            {"text": out.text, "lang": out.lang, "author": out.author, "buttons": [asdict(b) for b in out.buttons]}
            for out in turn.replies
        ],
        "decision": turn.document.get("decision"),
    }


def _operations(ready: Callable[[], list[str]]) -> APIRouter:
    router = APIRouter()

    @router.get("/", include_in_schema=False)
    def home() -> RedirectResponse:
        return RedirectResponse("/chat")

    @router.get("/healthz")
    def healthz() -> dict[str, str]:
        """Whether the process is alive."""
        return {"status": "ok"}

    @router.get("/readyz")
    def readyz() -> JSONResponse:
        """Whether messages can be answered."""
        missing = ready()
        return JSONResponse({"ready": not missing, "missing": missing}, 200 if not missing else 503)

    @router.get("/metrics")
    def metrics() -> Response:
        """Figures for Prometheus."""
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router


async def _bad_request(_: Request, error: Exception) -> JSONResponse:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    problems = [{"field": ".".join(map(str, p["loc"][1:])) or "body", "problem": p["msg"]} for p in found]
    return JSONResponse({"error": "The request is not as expected.", "problems": problems}, 422)


async def _bad_input(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": str(error)}, 422)


async def _too_large(_: Request, __: Exception) -> JSONResponse:
    return JSONResponse(_TOO_LARGE, 413)


async def _unavailable(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": str(error)}, 503, headers=_LATER)


class _BodyLimit:
    """Refuses a large body: unread where its length is told, and as soon as too much of it came in any case."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = RequestBodyLimitMiddleware(app, max_body_size=_MAX_BODY)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            length = Headers(scope=scope).get("content-length", "0")
            if not length.isdigit() or int(length) > _MAX_BODY:
                await JSONResponse(_TOO_LARGE, 413)(scope, receive, send)
                return
        await self._app(scope, receive, send)
