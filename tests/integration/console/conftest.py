"""The console over HTTP, with a real SQL log."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from bot.adapters.memory import MemoryState
from bot.adapters.sql_engine import create_log_engine, parse_url
from bot.adapters.sql_log import SqlLog
from bot.adapters.sql_schema import upgrade_schema
from bot.console import pages
from bot.console.knowledge import FaqDesk
from bot.desk.handover import Desk
from bot.domain.records import FaqDraft
from bot.domain.rules import ServiceLevel
from bot.knowledge.editing import FaqEditor
from bot.knowledge.preview import Change, Effect
from tests.integration.console.site import PASSWORD, RELEASED, Files, MovableClock, ShopKnowledge, log_in


@pytest.fixture(scope="session")
def password_hash() -> str:
    # As cheap as Argon2 goes: these tests log in a hundred times.
    return PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),)).hash(PASSWORD)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("console") / "empty.db"
    upgrade_schema(f"sqlite:///{path}")
    return path


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def log(tmp_path: Path, empty_database: Path, clock: MovableClock, password_hash: str) -> Iterator[SqlLog]:
    path = shutil.copy(empty_database, tmp_path / "log.db")
    log = SqlLog(create_log_engine(parse_url(f"sqlite:///{path}")), clock)
    log.add_agent("mei", password_hash, "admin")
    log.add_agent("tom", password_hash, "agent")
    yield log
    log.close()


@pytest.fixture
def attachments() -> Files:
    return Files()


@pytest.fixture
def faq(log: SqlLog, clock: MovableClock) -> FaqDesk:
    """The knowledge base; a preview says that the first customer's question would be answered by the draft."""
    editor = FaqEditor(log, clock, ["en", "zh"], lambda: RELEASED)

    def foresee(draft: FaqDraft) -> Effect:
        changes = [Change(text, "ret-1", draft.entry.id) for text, _ in log.latest_texts(10)]
        return Effect(len(changes), tuple(changes[:1]), (), tuple(changes[1:]))

    return FaqDesk(editor, foresee, lambda entry: [each for each in RELEASED if each.id != entry.id])


@pytest.fixture
def app(log: SqlLog, clock: MovableClock, attachments: Files, faq: FaqDesk) -> FastAPI:
    state = MemoryState()
    desk = Desk(log=log, state=state, clock=clock, texts=lambda key, lang: f"{key}/{lang}")
    app = FastAPI()
    pages.mount_static(app)
    app.include_router(
        pages.build_router(
            log=log,
            state=state,
            desk=desk,
            knowledge=ShopKnowledge(),
            faq=faq,
            secret_key="s" * 32,
            bot_names={"en": "Linden Shop"},
            sla=ServiceLevel(),
            bad_moods=["anger"],
            attachments=attachments,
        )
    )
    return app


@pytest.fixture
def browser(app: FastAPI) -> Callable[[], TestClient]:
    return lambda: TestClient(app, follow_redirects=False, headers={"accept-language": "en"})


@pytest.fixture
def client(browser: Callable[[], TestClient]) -> TestClient:
    client = browser()
    log_in(client, "mei")
    return client
