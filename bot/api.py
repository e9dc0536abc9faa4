"""The HTTP API: messages and conversations for callers with the key, health and metrics for operators."""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, ConfigDict, Field

from bot.domain.messages import ContentKind, IncomingMessage, Reply
from bot.domain.ports import Clock, ConversationLog, Intake
from bot.errors import UnavailableError

MAX_TEXT = 100_000
_MAX_BODY = 1_000_000


class MessageIn(BaseModel):
    """A customer's message from a caller of the API.

    Attributes:
        conversation: the caller's name for the conversation.
        text: what the customer wrote.
        lang: its language, where the caller knows it.
        id: the caller's id of the message; one that was seen before gets the first answer again.
    """

    model_config = ConfigDict(extra="forbid")

    conversation: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\s\x00-\x1f]+$")]
    text: Annotated[str, Field(max_length=MAX_TEXT)]
    lang: Annotated[str, Field(min_length=2, max_length=8)] | None = None
    id: Annotated[str, Field(min_length=1, max_length=200)] | None = None


def create_app(
    *,
    api_key: str,
    intake: Intake,
    log: ConversationLog,
    clock: Clock,
    ready: Callable[[], list[str]],
    apology: Callable[[IncomingMessage], Reply],
    version: str,
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
        lifespan: what starts before the first request and ends after the last.

    Returns:
        The application.
    """
    app = FastAPI(title="Frontdesk", version=version, docs_url=None, redoc_url=None, lifespan=lifespan)

    def authorised(authorization: Annotated[str, Header()] = "") -> None:
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), api_key.encode()):
            raise HTTPException(401, "Send the header `Authorization: Bearer <FRONTDESK_API_KEY>`.")

    v1 = APIRouter(prefix="/v1", dependencies=[Depends(authorised)])

    @v1.post("/messages")
    def post_message(message: MessageIn) -> dict[str, Any]:
        """Answers a message."""
        incoming = IncomingMessage(
            id=message.id or uuid.uuid4().hex,
            conversation=message.conversation,
            text=_storable(message.text),
            at=clock.now(),
            kind=ContentKind.TEXT,
            lang=message.lang,
        )
        try:
            return intake.answer(incoming)
        except UnavailableError as error:
            detail = {"error": str(error), "id": incoming.id, "replies": [asdict(apology(incoming))]}
            raise HTTPException(503, detail, headers={"Retry-After": "2"}) from error

    @v1.get("/conversations/{conversation}")
    def get_conversation(conversation: str) -> dict[str, Any]:
        """A conversation with its turns in order."""
        head = log.conversation(conversation)
        if head is None:
            raise HTTPException(404, f"There is no conversation {conversation!r}.")
        turns = [
            {
                "id": turn.message_id,
                "turn": turn.id,
                "at": turn.at.isoformat(),
                "text": turn.text,
                "replies": [
                    {
                        "text": out.text,
                        "lang": out.lang,
                        "author": out.author,
                        "buttons": [asdict(b) for b in out.buttons],
                    }
                    for out in turn.replies
                ],
                "decision": turn.document.get("decision"),
            }
            for turn in log.turns(conversation)
        ]
        return {"id": head.id, "status": head.status.value, "lang": head.lang, "turns": turns}

    app.include_router(v1)

    @app.get("/", include_in_schema=False)
    def home() -> RedirectResponse:
        return RedirectResponse("/chat")

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        """Whether the process is alive."""
        return {"status": "ok"}

    @app.get("/readyz")
    def readyz() -> JSONResponse:
        """Whether messages can be answered."""
        missing = ready()
        return JSONResponse({"ready": not missing, "missing": missing}, 200 if not missing else 503)

    @app.get("/metrics")
    def metrics() -> Response:
        """Figures for Prometheus."""
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    @app.exception_handler(RequestValidationError)
    async def bad_request(_: Request, error: RequestValidationError) -> JSONResponse:
        problems = [
            {"field": ".".join(str(part) for part in problem["loc"][1:]) or "body", "problem": problem["msg"]}
            for problem in error.errors()
        ]
        return JSONResponse({"error": "The request is not as expected.", "problems": problems}, 422)

    @app.exception_handler(UnavailableError)
    async def unavailable(_: Request, error: UnavailableError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, 503, headers={"Retry-After": "2"})

    @app.middleware("http")
    async def limit_body(request: Request, call_next: Any) -> Response:
        length = request.headers.get("content-length", "0")
        chunked = "chunked" in request.headers.get("transfer-encoding", "")
        if request.method in {"POST", "PUT", "PATCH"} and (chunked or not length.isdigit() or int(length) > _MAX_BODY):
            return JSONResponse({"error": f"A body of at most {_MAX_BODY} bytes with its length is expected."}, 413)
        response: Response = await call_next(request)
        return response

    return app


def _storable(text: str) -> str:
    """The text without what no database stores: NUL and half surrogates."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
