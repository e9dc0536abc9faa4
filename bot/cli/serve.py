"""`frontdesk run` and `frontdesk chat`."""

from __future__ import annotations

import fcntl
import shutil
import signal
import socket
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Annotated, NoReturn, TextIO

import typer
import uvicorn
from starlette.types import ASGIApp

from bot.bootstrap import build_app, open_services, release_store
from bot.cli.output import print_line, say
from bot.domain.messages import IncomingMessage
from bot.errors import FrontdeskError, SettingsError, UnavailableError
from bot.settings import Settings, read_settings
from nlu.manifest import MANIFEST_FILE


def add_commands(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command()(run)
    app.command()(chat)


def run() -> None:
    """Serve everything: HTTP API, web chat, console, and Telegram with a token."""
    settings = read_settings()
    listener = _listen(settings.host, settings.port)
    ensure_release(settings)
    services = open_services(settings)
    address = f"http://{settings.host}:{settings.port}"
    say(f"Web chat  {address}/chat\nConsole   {address}/console\nAPI       {address}/v1 (OpenAPI at /openapi.json)")
    if services.api_key_is_new:
        say(f"API key   {services.api_key} (kept in {settings.data_dir / 'keys'})")
    if settings.telegram_token is None:
        say("Telegram  off; set FRONTDESK_TELEGRAM_TOKEN to turn it on")
    try:
        app = build_app(services)
    except FrontdeskError:
        services.close()
        raise
    scheduler = _start_scheduler(settings)
    try:
        uvicorn.Server(server_config(app, settings)).run(sockets=[listener])
    finally:
        if scheduler is not None:
            scheduler.terminate()
            scheduler.wait(timeout=30)


def server_config(app: ASGIApp, settings: Settings) -> uvicorn.Config:
    """How the HTTP server runs.

    Args:
        app: what it serves.
        settings: the settings in force.

    Returns:
        uvicorn's configuration.
    """
    return uvicorn.Config(
        app,
        log_config=None,  # its lines go where all others do, masked
        log_level="warning",
        access_log=False,
        proxy_headers=True,
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_graceful_shutdown=10,
    )


def chat(
    conversation: Annotated[
        str | None, typer.Option("--conversation", help="Go on with this conversation instead of a new one.")
    ] = None,
) -> None:
    """Talk to the bot in the terminal; an empty line or Ctrl-D ends it."""
    settings = read_settings()
    ensure_release(settings)
    services = open_services(settings)
    services.engine.refresh()
    name = conversation or f"terminal:{uuid.uuid4().hex[:8]}"
    say(f"Conversation {name}. An empty line ends it.")
    try:
        while text := _prompt():
            message = IncomingMessage(uuid.uuid4().hex, name, text, services.clock.now())
            try:
                replies = services.intake.answer(message)["replies"]
            except UnavailableError as error:
                say(f"{services.words.apology(message).text} ({error})")
                continue
            for reply in replies:
                print_line(reply["text"])
                for button in reply["buttons"]:
                    print_line(f"  [{button['label']}]")
            if not replies:
                say("(A colleague holds this conversation.)")
    finally:
        services.close()


def ensure_release(settings: Settings) -> None:
    """Trains a first release where there is none, in a process of its own, so that its memory is given back.

    Args:
        settings: the settings in force.

    Raises:
        SettingsError: the training failed.
    """
    store = release_store(settings)
    if store.current() is not None:
        return
    store.root.mkdir(parents=True, exist_ok=True)
    target = store.root / "first-release"
    with (store.root / ".first-release.lock").open("w") as lock:
        _wait_for(lock)
        if store.current() is None:
            # One that another process left when it was killed has gone on by itself.
            if not (target / MANIFEST_FILE).exists():
                _train_first(settings.bot_dir, target, lock)
            store.adopt(target)
            shutil.rmtree(target)


def _wait_for(lock: TextIO) -> None:
    """Takes a lock; that of a process which was killed is held by the training that it had begun."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("Another process trains the first release; waiting for it.")
        fcntl.flock(lock, fcntl.LOCK_EX)


def _train_first(bot: Path, target: Path, lock: TextIO) -> None:
    say("There is no release yet: training one from the bot's examples. This happens once.")
    command = [sys.executable, "-m", "bot.cli", "train", "--examples", str(bot / "examples"), "--out", str(target)]
    if (bot / "faq").is_dir():
        command += ["--faq", str(bot / "faq")]
    for option, file in (("--test", "test.jsonl"), ("--faq-queries", "faq_queries.jsonl"), ("--config", "train.yaml")):
        if (bot / file).is_file():
            command += [option, str(bot / file)]
    # A server that is told to end takes its training with it: the exception ends the child.
    before = signal.signal(signal.SIGTERM, _end)
    try:
        done = subprocess.run(command, check=False, pass_fds=(lock.fileno(),))  # noqa: S603
    finally:
        signal.signal(signal.SIGTERM, before)
    if done.returncode != 0:
        raise SettingsError(
            f"FRONTDESK_BOT_DIR: no release could be trained from {bot}; the lines above say why. "
            "Training goes on where it was when you start again."
        )


def _end(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)


def _prompt() -> str:
    try:
        return input("> ").strip()
    except EOFError:
        return ""


def _listen(host: str, port: int) -> socket.socket:
    """Takes the port before anything slow happens, so that a port in use is told at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Only where TCP is named does asyncio send small packets at once.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # Another process may still bind, and fail late, as long as nobody listens.
        listener.listen()
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"FRONTDESK_HOST, FRONTDESK_PORT: cannot listen on {host}:{port} ({error.strerror}). "
            "Stop what uses the port or set another one."
        ) from error
    listener.set_inheritable(True)
    return listener


def _start_scheduler(settings: Settings) -> subprocess.Popen[bytes] | None:
    if settings.retrain_schedule is None:
        return None
    return subprocess.Popen([sys.executable, "-m", "bot.cli", "retrain", "--schedule"])
