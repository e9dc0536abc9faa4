"""What customers get: FAQ questions through the whole pipeline, and questions that lean on the one before them."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.commands import SHOP, say
from bench.figures import Figure, Goal, Outcome
from bench.releases import Setup, train_shop
from bot.adapters.memory import MemoryState
from bot.adapters.sql_log import open_log
from bot.bootstrap import SystemClock
from bot.bot_files import load_bot_files
from bot.domain.messages import IncomingMessage
from bot.live_engine import load_engine
from bot.pipeline import Pipeline
from retrieval.faq import read_queries

LANGUAGES = ("en", "zh")
_COMMAND = "python -m bench answers"

Ask = Callable[[str, str, str], dict[str, Any]]
"""Asks in a conversation, with a text in a language; gives the decision."""


@dataclass(frozen=True, slots=True)
class FollowUp:
    """Two messages, the second of which leans on the first.

    Attributes:
        first: what is asked first.
        then: what is asked then.
        relevant: FAQ ids, or `intent:<name>`, that answer it.
        lang: the language of both.
    """

    first: str
    then: str
    relevant: tuple[str, ...]
    lang: str


def measure(setup: Setup) -> Outcome:
    """Asks the shop's unseen FAQ questions and its follow-ups, each in a conversation of its own.

    Args:
        setup: the seeds, or a release to take.

    Returns:
        Shares of the questions, by language, over the seeds.
    """
    releases = [train_shop(setup, seed).folder for seed in (setup.seeds if setup.release is None else setup.seeds[:1])]
    found: dict[str, list[float]] = {}
    for release in releases:
        say(f"answers of {release}")
        with asking(release) as ask:
            for name, value in (*_faq(ask), *_follow_ups(ask)):
                found.setdefault(name, []).append(value)
    goals = {f"follow-ups answered rightly, {lang}": Goal("at least", 0.9) for lang in LANGUAGES}
    return Outcome(tuple(Figure(name, tuple(values), _COMMAND, goal=goals.get(name)) for name, values in found.items()))


@contextmanager
def asking(release: Path) -> Iterator[Ask]:
    """The example shop's whole pipeline with a release.

    Args:
        release: its folder.

    Yields:
        What asks.
    """
    files, engine, clock = load_bot_files(SHOP), load_engine(release), SystemClock()
    with tempfile.TemporaryDirectory() as folder:
        log, state = open_log(f"sqlite:///{Path(folder) / 'answers.sqlite3'}", clock), MemoryState()
        pipeline = Pipeline(lambda: engine, log, state, files.rules, files.templates, clock)
        numbers: Counter[str] = Counter()

        def ask(conversation: str, text: str, lang: str) -> dict[str, Any]:
            numbers[conversation] += 1
            message = IncomingMessage(f"m{numbers[conversation]}", conversation, text, clock.now(), lang=lang)
            log.accept(message)
            decision: dict[str, Any] = pipeline.handle(message)["decision"]
            return decision

        try:
            yield ask
        finally:
            state.close()
            log.close()


def answers(decision: dict[str, Any], relevant: Sequence[str]) -> bool:
    """Whether a decision is an answer out of those that are right."""
    by = decision["faq"] or f"intent:{decision['intent']}"
    return decision["kind"] in ("faq", "template") and by in relevant


def _offered(decision: dict[str, Any]) -> set[str]:
    """The entries whose questions stand on buttons."""
    return {option.removeprefix("faq:") for option in (*decision["options"], *decision["related"])}


def read_follow_ups(path: Path) -> list[FollowUp]:
    """Reads follow-ups from a JSON lines file."""
    lines = [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]
    return [FollowUp(line["first"], line["then"], tuple(line["relevant"]), line["lang"]) for line in lines]


def _faq(ask: Ask) -> Iterator[tuple[str, float]]:
    queries = read_queries(SHOP / "faq_queries.jsonl")
    for lang in LANGUAGES:
        own = [query for query in queries if query.lang == lang]
        decisions = [ask(f"api-faq-{lang}-{place}", query.query, lang) for place, query in enumerate(own)]
        pairs = list(zip(decisions, own, strict=True))
        right = sum(decision["faq"] in query.relevant for decision, query in pairs)
        wrong = sum(bool(decision["faq"]) and decision["faq"] not in query.relevant for decision, query in pairs)
        offered = sum(
            decision["faq"] not in query.relevant and not _offered(decision).isdisjoint(query.relevant)
            for decision, query in pairs
        )
        yield f"FAQ questions answered by their entry, {lang}", right / len(own)
        yield f"FAQ questions with their entry offered, {lang}", offered / len(own)
        yield f"FAQ questions answered by another entry, {lang}", wrong / len(own)


def _follow_ups(ask: Ask) -> Iterator[tuple[str, float]]:
    cases = read_follow_ups(SHOP / "follow_ups.jsonl")
    for lang in LANGUAGES:
        own = [case for case in cases if case.lang == lang]
        right = alone = 0
        for place, case in enumerate(own):
            conversation = f"api-follow-{lang}-{place}"
            ask(conversation, case.first, lang)
            right += answers(ask(conversation, case.then, lang), case.relevant)
            alone += answers(ask(f"{conversation}-alone", case.then, lang), case.relevant)
        yield f"follow-ups answered rightly, {lang}", right / len(own)
        yield f"follow-ups answered rightly without what was asked before, {lang}", alone / len(own)
