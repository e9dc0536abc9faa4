"""Builds real objects from settings, with `bot.outside`; nothing else does."""

from __future__ import annotations

import asyncio
import importlib.metadata
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import structlog
from fastapi import FastAPI, Header, Request, Response

from bot import outside
from bot.adapters.embedded_redis import EmbeddedRedis, open_embedded
from bot.adapters.redis_state import RedisState
from bot.adapters.sql_log import SqlLog, open_log
from bot.api import Authorisation, create_app
from bot.bot_files import BotFiles, load_bot_files
from bot.channels import web_chat
from bot.channels.telegram import TelegramChannel
from bot.channels.telegram_timing import Timing, growing_delay, pause
from bot.console import pages
from bot.console.knowledge import FaqDesk
from bot.desk.dispatch import AgentsChat, Dispatcher
from bot.desk.handover import Desk
from bot.dialogue.templates import OPTIONAL_TEMPLATES
from bot.domain.messages import IncomingMessage, Reply
from bot.domain.ports import Attachments
from bot.errors import FrontdeskError, UnavailableError
from bot.intake import MessageIntake
from bot.knowledge import api as faq_api
from bot.knowledge.editing import FaqEditor
from bot.knowledge.preview import alike, effect
from bot.live_engine import LiveEngine
from bot.pipeline import Pipeline
from bot.settings import Settings, kept_key
from nlu.releases import ReleaseStore

log_line = structlog.get_logger(__name__)

VERSION = importlib.metadata.version("frontdesk")

FIRST_RESTART = 1.0
"""Seconds until a Telegram channel that ended runs again; they double with each time that it ends."""

LONGEST_RESTART = 60.0
"""Where that growth ends; a channel that ran for longer begins anew."""


class SystemClock:
    """The port `Clock` by the machine's clock."""

    def now(self) -> datetime:
        """The present moment in UTC."""
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class RunningKnowledge:
    """The port `Knowledge` over the bot's files and the engine in force."""

    files: BotFiles
    engine: LiveEngine

    def labels(self, head: str) -> list[str]:
        """The labels of a head of the running release and the bot's files, sorted."""
        known: set[str] = set()
        if self.engine.ready:
            known.update(self.engine().labels.get(head, ()))
        if head == "intent":
            known.update(self.files.rules.intents)
        if head == "emotion":
            known.update(self.files.rules.emotions)
        return sorted(known)

    def faq_entries(self) -> list[tuple[str, str]]:
        """(id, question) of every FAQ entry of the running release."""
        entries = self.engine().entries.values() if self.engine.ready else ()
        return [(entry.id, entry.question) for entry in entries]


@dataclass(frozen=True, slots=True)
class SystemWords:
    """What Frontdesk itself says to customers, in the words of the bot's templates."""

    files: BotFiles

    def text(self, key: str, lang: str) -> str:
        """A template's text without slots; empty where an optional one is not there."""
        if key in OPTIONAL_TEMPLATES and not self.files.templates.has(key):
            return ""
        return self.files.templates.render(key, lang, "", {}, 0).text

    def apology(self, message: IncomingMessage) -> Reply:
        """What a customer reads while a service is away."""
        lang = message.lang if message.lang in self.files.rules.languages else None
        chinese = any("\u4e00" <= character <= "\u9fff" for character in message.text)
        written = "zh" if chinese and "zh" in self.files.rules.languages else None
        spoken = written or lang or self.files.rules.default_language
        return Reply(self.text("unavailable", spoken), spoken)


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a process works with.

    Attributes:
        settings: the settings in force.
        files: the bot's own files.
        words: what Frontdesk itself says.
        clock: tells the time.
        log: the durable truth.
        state: live state.
        store: the releases.
        engine: the engine in force.
        intake: takes messages.
        desk: what agents do.
        dispatcher: what happens at the desk by the clock.
        api_key: what callers of `/v1` show.
        api_key_is_new: True where it was made just now.
        secret_key: signs cookies.
        attachments: fetches what customers sent beside their words; None where no channel has any.
    """

    settings: Settings
    files: BotFiles
    words: SystemWords
    clock: SystemClock
    log: SqlLog
    state: RedisState
    store: ReleaseStore
    engine: LiveEngine
    intake: MessageIntake
    desk: Desk
    dispatcher: Dispatcher
    api_key: str
    api_key_is_new: bool
    secret_key: str
    attachments: Attachments | None = None
    embedded: EmbeddedRedis | None = None

    def missing(self) -> list[str]:
        """What is missing before messages can be answered."""
        problems = [] if self.engine.ready else ["release"]
        for name, service in (("redis", self.state), ("sql", self.log)):
            try:
                service.ping()
            except UnavailableError:
                problems.append(name)
        return problems

    def close(self) -> None:
        """Lets go of everything, in the reverse order of building."""
        self.dispatcher.stop()
        self.intake.stop()
        self.engine.stop()
        self.state.close()
        if self.embedded is not None:
            self.embedded.close()
        self.log.close()


def release_store(settings: Settings) -> ReleaseStore:
    """The release store of the data folder."""
    return ReleaseStore(settings.data_dir / "releases")


def open_services(settings: Settings) -> Services:
    """Builds everything; nothing is started yet.

    Args:
        settings: the settings in force.

    Returns:
        The services.

    Raises:
        FrontdeskError: a file, Redis or SQL is not as needed; says which and what to do.
    """
    files = load_bot_files(settings.bot_dir)
    clock = SystemClock()
    with ExitStack() as opened:
        log = open_log(settings.database, clock)
        opened.callback(log.close)
        embedded = None
        if settings.redis_url is not None:
            url = settings.redis_url.get_secret_value()
        else:
            embedded = open_embedded(settings.data_dir)
            opened.callback(embedded.close)
            url = embedded.url
        state = RedisState(url, settings.state_ttl)
        opened.callback(state.close)
        log.ping()
        state.ping()
        services = _services(settings, files, clock, log, state, embedded)
        opened.pop_all()
    return services


def _services(
    settings: Settings,
    files: BotFiles,
    clock: SystemClock,
    log: SqlLog,
    state: RedisState,
    embedded: EmbeddedRedis | None,
) -> Services:
    store = release_store(settings)
    engine = LiveEngine(store, settings.threads, log=log, clock=clock)
    attachments = outside.attachments(settings)
    pipeline = Pipeline(
        engine,
        log,
        state,
        files.rules,
        files.templates,
        clock,
        settings.state_ttl,
        outside.rewriting(settings, files.rules.unwanted),
        outside.actions(settings, files.rules),
        outside.hearing(settings, attachments, files.rules.hidden_numbers),
    )
    api_key, is_new = _key(settings, "api_key")
    secret_key, _ = _key(settings, "secret_key")
    words = SystemWords(files)
    hidden = files.rules.hidden_numbers
    intake = MessageIntake(pipeline, log, state, words.apology, hidden_numbers=hidden, workers=settings.workers)
    desk = Desk(
        log=log,
        state=state,
        clock=clock,
        texts=words.text,
        hidden_numbers=hidden,
        unwanted=files.rules.unwanted,
        state_ttl=settings.state_ttl,
    )
    return Services(
        settings=settings,
        files=files,
        words=words,
        clock=clock,
        log=log,
        state=state,
        store=store,
        engine=engine,
        intake=intake,
        desk=desk,
        dispatcher=Dispatcher(
            desk=desk,
            log=log,
            clock=clock,
            rules=files.rules.escalation.desk,
            hours=files.rules.hours,
            chat=_agents_chat(settings, files),
        ),
        api_key=api_key,
        api_key_is_new=is_new,
        secret_key=secret_key,
        attachments=attachments,
        embedded=embedded,
    )


def _agents_chat(settings: Settings, files: BotFiles) -> AgentsChat | None:
    if settings.telegram_token is None or settings.telegram_agents_chat is None:
        return None
    console = f"{settings.public_url.rstrip('/')}/console" if settings.public_url else ""
    return AgentsChat(f"telegram:{settings.telegram_agents_chat}", files.rules.default_language, console)


def build_telegram(services: Services) -> TelegramChannel | None:
    """The Telegram channel, or None without a token."""
    settings = services.settings
    if settings.telegram_token is None:
        return None
    secret = settings.telegram_webhook_secret
    telegram = TelegramChannel(
        token=settings.telegram_token.get_secret_value(),
        api_url=settings.telegram_api_url,
        intake=services.intake,
        log=services.log,
        outage_texts={lang: services.words.text("unavailable", lang) for lang in services.files.rules.languages},
        commands=services.files.rules.commands,
        names=services.files.rules.names,
        mode=settings.telegram_mode,
        webhook_url=settings.telegram_webhook_url or "",
        webhook_secret=secret.get_secret_value() if secret else "",
        agents_chat=settings.telegram_agents_chat,
        timing=Timing(between=1 / settings.telegram_rate),
        moments=services.state,
    )
    services.intake.when_answered(telegram.notify)
    return telegram


def build_app(services: Services) -> FastAPI:
    """The whole web application: API, web chat, console, and Telegram beside it.

    Args:
        services: what it works with; started and stopped with the application.

    Returns:
        The application.
    """
    telegram = build_telegram(services)
    app = create_app(
        api_key=services.api_key,
        intake=services.intake,
        log=services.log,
        clock=services.clock,
        ready=services.missing,
        apology=services.words.apology,
        version=VERSION,
        explain=services.engine.explain,
        waiting=services.settings.api_waiting,
        lifespan=_lifespan(services, telegram),
    )
    faq = FaqDesk(
        FaqEditor(
            services.log,
            services.clock,
            services.files.rules.languages,
            services.engine.faq_entries,
            services.engine.refresh_entries,
        ),
        partial(effect, log=services.log, engine=services.engine, rules=services.files.rules),
        partial(alike, engine=services.engine),
    )
    names = services.files.rules.names
    book = services.files.templates
    app.include_router(
        web_chat.build_router(
            intake=services.intake,
            log=services.log,
            state=services.state,
            clock=services.clock,
            secret_key=services.secret_key,
            bot_names=names,
            address_rate=services.settings.web_rate,
            greetings={lang: book.render("greeting", lang, "", {}, 0) for lang in services.files.rules.languages},
        )
    )
    web_chat.mount_static(app)
    app.include_router(
        faq_api.build_router(Authorisation(services.api_key), faq.editor, services.clock, faq.foresee, faq.alike)
    )
    app.include_router(
        pages.build_router(
            log=services.log,
            state=services.state,
            desk=services.desk,
            knowledge=RunningKnowledge(services.files, services.engine),
            faq=faq,
            secret_key=services.secret_key,
            bot_names=names,
            sla=services.files.rules.escalation.desk.sla,
            bad_moods=services.files.rules.escalation.bad_moods,
            attachments=services.attachments,
        )
    )
    pages.mount_static(app)

    @app.post("/telegram/webhook", include_in_schema=False)
    async def telegram_webhook(
        request: Request, x_telegram_bot_api_secret_token: str | None = Header(None)
    ) -> Response:
        if telegram is None:
            return Response(status_code=404)
        return Response(
            status_code=await telegram.handle_webhook(await request.body(), x_telegram_bot_api_secret_token)
        )

    return app


def _lifespan(services: Services, telegram: TelegramChannel | None) -> Lifespan:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(services.engine.start)
        services.intake.start()
        services.dispatcher.start()
        running = None
        stop = asyncio.Event()
        if telegram is not None:
            running = asyncio.create_task(_run_telegram(telegram, stop))
        yield
        stop.set()
        if running is not None:
            await running
        await asyncio.to_thread(services.close)

    return lifespan


async def _run_telegram(telegram: TelegramChannel, stop: asyncio.Event) -> None:
    """Runs the channel until `stop`; what ends it earlier is said loudly, and after a growing pause it runs again."""
    failures = 0
    while not stop.is_set():
        began = time.monotonic()
        try:
            await telegram.run(stop)
        except FrontdeskError as error:
            log_line.warning("telegram_stopped", error=str(error))
        except Exception as error:
            log_line.exception("telegram_stopped", error=str(error))
        if time.monotonic() - began > LONGEST_RESTART:
            failures = 0
        await pause(stop, growing_delay(failures, FIRST_RESTART, LONGEST_RESTART))
        failures += 1


Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def _key(settings: Settings, name: str) -> tuple[str, bool]:
    given = getattr(settings, name)
    return (given.get_secret_value(), False) if given is not None else kept_key(settings.data_dir, name)
