"""One message through everything, in process and over HTTP, beside what one would write without Frontdesk."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.commands import SHOP, say
from bench.figures import Figure, Goal, Outcome, latency, latency_figures
from bench.messages import TimedMessage, mixed_messages, read_texts
from bench.releases import Setup, train_shop
from bench.server import running_server
from bench.two_passes import TwoPasses
from bot.bootstrap import Services, open_services
from bot.domain.messages import IncomingMessage
from bot.settings import Settings
from nlu.releases import ReleaseStore, read_manifest, verify

_COMMAND = "python -m bench pipeline"
_WARM_UP = 10
_GB = 1e9


@dataclass(frozen=True, slots=True)
class InProcess:
    """Milliseconds for each message, taken side by side.

    Attributes:
        answering: through intake, pipeline, Redis and SQLite.
        reading: understanding and FAQ search alone.
        two_passes: what one would write without Frontdesk.
        decisions: how many messages were answered in which way.
    """

    answering: list[float]
    reading: list[float]
    two_passes: list[float]
    decisions: Counter[str]


def measure(setup: Setup) -> Outcome:
    """Times 300 messages each way with the shop's release of the first seed.

    Args:
        setup: the seeds, or a release to take.

    Returns:
        Latencies, start-up time and memory.
    """
    release = train_shop(setup, setup.seeds[0]).folder
    data_dir = setup.work / "pipeline"
    install(release, data_dir)
    texts = read_texts(SHOP / "test.jsonl")
    say("frontdesk run, messages over HTTP")
    with running_server(data_dir) as server:
        server.send(mixed_messages(texts, "warm-http", _WARM_UP))
        over_http = server.send(mixed_messages(texts, "http"))
        ready, resident = server.ready_seconds, server.resident_bytes()
    say("messages in process")
    found = time_in_process(release, data_dir, mixed_messages(texts, "warm", _WARM_UP), mixed_messages(texts, "timed"))
    ratios = np.divide(found.two_passes, found.answering)
    reading_ratios = np.divide(found.two_passes, found.reading)
    kinds = ", ".join(f"{kind} {count}" for kind, count in found.decisions.most_common())
    return Outcome(
        (
            *latency_figures("message, whole pipeline", latency(found.answering), _COMMAND, Goal("at most", 40)),
            *latency_figures("message over HTTP", latency(over_http), _COMMAND),
            *latency_figures("reading and FAQ search alone", latency(found.reading), _COMMAND),
            *latency_figures("two plain passes, fp32", latency(found.two_passes), _COMMAND),
            Figure("two plain passes / whole pipeline", (float(np.median(ratios)),), _COMMAND, "x"),
            Figure("two plain passes / reading and search", (float(np.median(reading_ratios)),), _COMMAND, "x"),
            Figure("server ready after its start", (ready,), "frontdesk run", "s", Goal("at most", 15)),
            Figure(
                "resident memory after 300 messages, Redis included",
                (resident / _GB,),
                "frontdesk run",
                "GB",
                Goal("at most", 1.2),
            ),
        ),
        (f"How the timed messages were answered: {kinds}.", "Ratios are medians over the messages, timed in turns."),
    )


def time_in_process(
    release: Path, data_dir: Path, warm_up: Sequence[TimedMessage], messages: Sequence[TimedMessage]
) -> InProcess:
    """Answers messages in this process; the ways alternate message by message, so that they share the machine's moods.

    Args:
        release: what the plain passes take their encoder from.
        data_dir: a data folder with a promoted release.
        warm_up: messages that are not timed.
        messages: messages that are.

    Returns:
        The times.
    """
    plain = TwoPasses(release)
    services = open_services(Settings.model_construct(data_dir=data_dir, bot_dir=SHOP))
    found = InProcess([], [], [], Counter())
    ways: list[tuple[list[float], Callable[[TimedMessage], None]]] = [
        (found.answering, lambda message: found.decisions.update([_answer(services, message)])),
        (found.two_passes, lambda message: plain.read(message.text)),
        (found.reading, lambda message: _read(services, message.text)),
    ]
    try:
        services.engine.refresh()
        for message in warm_up:
            _answer(services, message)
            plain.read(message.text)
        for number, message in enumerate(messages):
            turn = number % len(ways)
            for times, act in ways[turn:] + ways[:turn]:
                start = time.perf_counter()
                act(message)
                times.append((time.perf_counter() - start) * 1000)
    finally:
        services.close()
    return found


def _answer(services: Services, message: TimedMessage) -> str:
    incoming = IncomingMessage(message.id, message.conversation, message.text, services.clock.now())
    return str(services.intake.answer(incoming)["decision"]["kind"])


def _read(services: Services, text: str) -> None:
    engine = services.engine()
    reading = engine.understander.understand([text])[0]
    engine.search.search(reading.vector, top=5, lang=reading.lang, text=reading.text)


def install(release: Path, data_dir: Path) -> None:
    """Makes a fresh data folder in which a copy of the release is current."""
    verify(release)
    shutil.rmtree(data_dir, ignore_errors=True)
    store = ReleaseStore(data_dir / "releases")
    name = read_manifest(release).name
    shutil.copytree(release, store.root / name)
    store.promote(name)
