"""The HTTP side of the Telegram double: requests, long polling, webhook delivery and faults on the wire."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from tests.e2e.telegram_double.methods import BotApi
from tests.e2e.telegram_double.parameters import Parameters, read_parameters
from tests.e2e.telegram_double.state import ApiError, Fault, Json, State

HTTP_METHODS = ["GET", "POST"]
FIRST_WEBHOOK_RETRY = 0.1
LONGEST_WEBHOOK_RETRY = 1.0


def _tracking_protocol(transports: dict[tuple[str, int], asyncio.Transport]) -> type[H11Protocol]:
    """uvicorn's protocol, which also notes each connection's transport, so that one can be cut."""

    class TrackingProtocol(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if self.client:
                transports[self.client] = transport

        def connection_lost(self, exc: Exception | None) -> None:
            if self.client:
                transports.pop(self.client, None)
            super().connection_lost(exc)

    return TrackingProtocol


class ApiServer:
    """Serves a `State` on a free loopback port, in a thread of its own."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.api = BotApi(state)
        self._names = {name.lower(): name for name in (*self.api.methods, "getUpdates")}
        self._transports: dict[tuple[str, int], asyncio.Transport] = {}
        self._polls = 0
        # Only where TCP is named does asyncio send small packets at once, as Telegram does.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        app = Starlette(
            routes=[
                Route("/bot{token}/{method}", self._call, methods=HTTP_METHODS),
                Route("/file/bot{token}/{path:path}", self._file, methods=["GET"]),
            ]
        )
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                http=_tracking_protocol(self._transports),
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=3,
            )
        )
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), name="telegram-double", daemon=True)

    def start(self) -> None:
        """Returns once requests are answered."""
        self._thread.start()
        deadline = time.monotonic() + 10
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise RuntimeError("the Telegram double did not start within 10 s")
            time.sleep(0.01)
        self.state.on_update = lambda: self._loop.call_soon_threadsafe(self._news.set)

    def stop(self) -> None:
        """Ends long polls and hanging requests, then the server."""
        self.state.on_update = lambda: None
        self._loop.call_soon_threadsafe(self._closing.set)
        self._loop.call_soon_threadsafe(self._news.set)
        self._server.should_exit = True
        self._thread.join(15)
        self._socket.close()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._closing = asyncio.Event()
        delivery = asyncio.create_task(self._deliver_webhooks())
        await self._server.serve(sockets=[self._socket])
        delivery.cancel()
        await asyncio.wait([delivery])

    async def _wait_for_news(self, seconds: float) -> None:
        self._news.clear()
        try:
            await asyncio.wait_for(self._news.wait(), max(seconds, 0))
        except TimeoutError:
            return

    # -- requests
    async def _call(self, request: Request) -> Response:
        try:
            return await self._answer(request)
        except ApiError as error:
            return JSONResponse(error.body(), error.code)

    async def _answer(self, request: Request) -> Response:
        if request.path_params["token"] != self.state.token:
            raise ApiError(401, "Unauthorized")
        method = self._names.get(request.path_params["method"].lower())
        if method is None:
            raise ApiError(404, "Not Found")
        fault = self.state.take_fault(method, None)
        if fault and fault.kind == "drop_before":
            self.state.note_call(method, {}, fault)
            return await self._cut(request)
        parameters = await read_parameters(request)
        fault = fault or self.state.take_fault(method, parameters.chat_id)
        self.state.note_call(method, parameters.values, fault)
        if fault:
            return await self._fail(request, fault, method, parameters)
        return await self._process(method, parameters)

    async def _process(self, method: str, parameters: Parameters) -> Response:
        if method == "getUpdates":
            result: Any = await self._get_updates(parameters)
        else:
            with self.state.changed:
                result = self.api.methods[method](parameters)
        return JSONResponse({"ok": True, "result": result})

    async def _fail(self, request: Request, fault: Fault, method: str, parameters: Parameters) -> Response:
        match fault.kind:
            case "429":
                reason = f"Too Many Requests: retry after {fault.retry_after}"
                raise ApiError(429, reason, {"retry_after": fault.retry_after})
            case "406":
                raise ApiError(406, "Not Acceptable")
            case "413":
                raise ApiError(413, "Request Entity Too Large")
            case "500":
                raise ApiError(500, "Internal Server Error")
            case "502":
                return HTMLResponse("<html><body><h1>502 Bad Gateway</h1></body></html>", 502)
            case "drop_after":
                await self._process(method, parameters)
            case "hang":
                await self._closing.wait()
            case "hang_after":
                await self._process(method, parameters)
                await self._closing.wait()
        return await self._cut(request)

    async def _cut(self, request: Request) -> Response:
        transport = self._transports.get((request.scope["client"][0], request.scope["client"][1]))
        if transport:
            transport.abort()
        await asyncio.sleep(0.01)
        return Response(status_code=500)

    async def _file(self, request: Request) -> Response:
        if request.path_params["token"] != self.state.token:
            return JSONResponse(ApiError(401, "Unauthorized").body(), 401)
        for stored in self.state.files.values():
            if stored.path == request.path_params["path"]:
                return Response(stored.content, media_type="application/octet-stream")
        return JSONResponse(ApiError(404, "Not Found").body(), 404)

    # -- updates
    async def _get_updates(self, parameters: Parameters) -> list[Json]:
        if self.state.webhook.url:
            raise ApiError(
                409,
                "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the "
                "webhook first",
            )
        self._polls += 1
        mine = self._polls
        self._news.set()
        allowed = parameters.json("allowed_updates")
        with self.state.changed:
            if allowed is not None:
                self.state.allowed_updates = allowed
            if offset := parameters.integer("offset"):
                self.state.confirm(offset)
        limit = min(max(parameters.integer("limit", 100), 1), 100)
        deadline = time.monotonic() + parameters.integer("timeout")
        while True:
            if mine != self._polls:
                raise ApiError(
                    409,
                    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
                )
            with self.state.changed:
                updates = self.state.updates[:limit]
            if updates or self._closing.is_set() or time.monotonic() >= deadline:
                return updates
            await self._wait_for_news(deadline - time.monotonic())

    async def _deliver_webhooks(self) -> None:
        delay = FIRST_WEBHOOK_RETRY
        async with httpx.AsyncClient(timeout=10, trust_env=False, verify=False) as client:
            while True:
                with self.state.changed:
                    hook = self.state.webhook
                    update = self.state.updates[0] if hook.url and self.state.updates else None
                if update is None:
                    await self._wait_for_news(5)
                    continue
                headers = {"X-Telegram-Bot-Api-Secret-Token": hook.secret} if hook.secret else {}
                try:
                    status = (await client.post(hook.url, json=update, headers=headers)).status_code
                    error = "" if 200 <= status < 300 else f"Wrong response from the webhook: {status}"
                except httpx.HTTPError as failure:
                    error = f"Connection failed: {failure}"
                if not error:
                    self.state.confirm(update["update_id"] + 1)
                    delay = FIRST_WEBHOOK_RETRY
                    continue
                hook.error, hook.error_at = error, int(time.time())
                await asyncio.sleep(delay)
                delay = min(delay * 2, LONGEST_WEBHOOK_RETRY)
