"""`frontdesk ask` and `frontdesk search`."""

from __future__ import annotations

import tempfile
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from bot.adapters.memory import MemoryState
from bot.adapters.sql_log import open_log
from bot.bootstrap import SystemClock, open_services
from bot.bot_files import load_bot_files
from bot.cli.knowledge import edited_entries
from bot.cli.learn import AsJson, release_folder
from bot.cli.output import print_json, print_line, say
from bot.dialogue.engine import Engine
from bot.domain.messages import IncomingMessage
from bot.errors import UnavailableError
from bot.knowledge.live import RememberedVectors, with_entries
from bot.live_engine import explain_text, load_engine
from bot.pipeline import Pipeline
from bot.settings import Settings, read_settings

Release = Annotated[str, typer.Option("--release", help="A release's folder or name.")]


_SHOWN = 8


def add_commands(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command()(ask)
    app.command()(search)


def ask(
    text: Annotated[str, typer.Argument(help="What the customer writes.")],
    release: Release = "current",
    conversation: Annotated[
        str | None, typer.Option("--conversation", help="Go on with a logged conversation; needs Redis and SQL.")
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show which words carried the intent, and the examples that it is like.")
    ] = False,
    gradients: Annotated[
        bool, typer.Option("--gradients", help="Explain by integrated gradients (needs the extra `explain`).")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Send one message through the whole pipeline and show the reply."""
    settings = read_settings()
    document = (
        _ask_logged(settings, text, conversation, release) if conversation else _ask_once(settings, text, release)
    )
    if explain or gradients:
        document["explanation"] = _explanation(settings, text, release, gradients=gradients)
    if as_json:
        print_json(document)
        return
    for reply in document["replies"]:
        print_line(reply["text"])
        for button in reply["buttons"]:
            print_line(f"  [{button['label']}]")
    print_line(f"— {document['decision']['kind']}: {document['decision']['reason']}")
    if document.get("explanation"):
        _print_explanation(document["explanation"])


def search(
    text: Annotated[str, typer.Argument(help="The question.")],
    release: Release = "current",
    top: Annotated[int, typer.Option("--top", min=1, max=100, help="How many entries at most.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Search the FAQ of a release."""
    engine = _engine(read_settings(), release)
    reading = engine.understander.understand([text])[0]
    hits = engine.search.search(reading.vector, top=top, lang=reading.lang or None, text=reading.text)
    if as_json:
        print_json(
            [
                {**asdict(hit.entry), "matched": hit.matched, "similarity": hit.similarity, "score": hit.score}
                for hit in hits
            ]
        )
        return
    for hit in hits:
        print_line(f"{hit.score:.2f}  {hit.entry.id}  {hit.entry.question}")


def _explanation(settings: Settings, text: str, release: str, *, gradients: bool) -> dict[str, Any] | None:
    folder = release_folder(settings, release)
    return explain_text(load_engine(folder), folder, text, gradients=gradients)


def _print_explanation(document: dict[str, Any]) -> None:
    """The tokens with their weights, the heaviest first, then the examples."""
    print_line(f"— {document['head']} {document['label']}, by {document['method']}:")
    for token in sorted(document["tokens"], key=lambda token: -abs(token["weight"]))[:_SHOWN]:
        print_line(f"  {token['weight']:+.3f}  {token['text']}")
    print_line("— like these examples:")
    for near in document["neighbours"]:
        labels = ", ".join(f"{head} {label}" for head, label in near["labels"].items())
        print_line(f"  {near['similarity']:.2f}  {near['text']}  ({labels})")


def _ask_once(settings: Settings, text: str, release: str) -> dict[str, Any]:
    """Answers in a conversation of its own that is forgotten afterwards; needs neither Redis nor SQL."""
    files = load_bot_files(settings.bot_dir)
    engine = _engine(settings, release)
    clock = SystemClock()
    with tempfile.TemporaryDirectory() as folder:
        log = open_log(f"sqlite:///{Path(folder) / 'ask.sqlite3'}", clock)
        state = MemoryState(settings.state_ttl)
        try:
            message = IncomingMessage(uuid.uuid4().hex, "terminal:ask", text, clock.now())
            log.accept(message)
            return Pipeline(lambda: engine, log, state, files.rules, files.templates, clock).handle(message)
        finally:
            state.close()
            log.close()


def _engine(settings: Settings, release: str) -> Engine:
    """A release; the current one answers from the edited knowledge base, as servers do."""
    engine = load_engine(release_folder(settings, release))
    if release != "current":
        return engine
    try:
        entries = edited_entries(settings, list(engine.entries.values()))
    except UnavailableError as error:
        say(f"Answering from the release alone, without later edits: {error}")
        return engine
    return with_entries(engine, entries, RememberedVectors(engine))


def _ask_logged(settings: Settings, text: str, conversation: str, release: str) -> dict[str, Any]:
    named = _engine(settings, release) if release != "current" else None
    services = open_services(settings)
    try:
        if named is None:
            services.engine.refresh()
        else:
            services.engine.use(named)
        message = IncomingMessage(uuid.uuid4().hex, conversation, text, services.clock.now())
        return services.intake.answer(message)
    finally:
        services.close()
