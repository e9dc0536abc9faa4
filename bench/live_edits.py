"""Editing an FAQ entry while two server processes answer ten thousand questions from it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Lock
from uuid import uuid4

import httpx

from bench.commands import say
from bench.figures import Figure, Goal, Outcome
from bench.pipeline import install
from bench.releases import Setup, train_shop
from bench.server import RunningServer, running_server

_QUESTION = "How do I polish a moon lamp?"
_PATH = "/v1/faq/moon-lamp.en"
_QUESTIONS = 10_000
_EDITS = 5
_CLIENTS = 8
_BORNE_SECONDS = 1.0
_COMMAND = "python -m bench live"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a question got.

    Attributes:
        began: when it was asked, in seconds of a clock that all share.
        ended: when the answer was there.
        version: the number of the edit that the answer is from; -1 where it failed or is no version at all.
    """

    began: float
    ended: float
    version: int


def measure(setup: Setup) -> Outcome:
    """Runs two servers over one data folder, asks both and edits through one.

    Args:
        setup: the seeds, or a release to take.

    Returns:
        How long edits take to be seen, and how many answers were wrong.
    """
    data_dir = setup.work / "live"
    install(train_shop(setup, setup.seeds[0]).folder, data_dir)
    say(f"{_QUESTIONS} questions to two servers")
    with ExitStack() as stack:
        servers = [stack.enter_context(running_server(data_dir)) for _ in range(2)]
        _edit(servers[0], 0)
        _seen_after(servers[1], 0)
        answers, edits, delays, seconds = _under_load(servers)
    failed = sum(answer.version < 0 for answer in answers)
    return Outcome(
        (
            Figure("an edit seen by the other process, the slowest", (max(delays),), _COMMAND, "s", Goal("at most", 1)),
            Figure("an edit seen by the other process, the mean", (sum(delays) / len(delays),), _COMMAND, "s"),
            Figure("questions that failed", (float(failed),), _COMMAND, "", Goal("at most", 0)),
            Figure("stale answers", (float(stale(answers, edits)),), _COMMAND, "", Goal("at most", 0)),
            Figure("questions a second meanwhile, both processes", (len(answers) / seconds,), _COMMAND),
        )
    )


def stale(answers: Iterable[Answer], edits: Sequence[float]) -> int:
    """How many answers were from an entry that had been edited more than a second before the question.

    Args:
        answers: what questions got.
        edits: when each edit was acknowledged, in their order.

    Returns:
        The number of them; failed ones are not counted.
    """
    return sum(
        0 <= answer.version < len(edits) - 1 and edits[answer.version + 1] + _BORNE_SECONDS < answer.began
        for answer in answers
    )


def _under_load(servers: Sequence[RunningServer]) -> tuple[list[Answer], list[float], list[float], float]:
    answers: list[Answer] = []
    left, counting = iter(range(_QUESTIONS)), Lock()
    edits, delays = [time.perf_counter()], []

    def ask(number: int) -> None:
        with _client(servers[number % len(servers)]) as client:
            while True:
                with counting:
                    if next(left, None) is None:
                        return
                began = time.perf_counter()
                version = _ask(client)
                answers.append(Answer(began, time.perf_counter(), version))

    def edit() -> None:
        for version in range(1, _EDITS + 1):
            while len(answers) < version * _QUESTIONS // (_EDITS + 1):
                time.sleep(0.05)
            _edit(servers[0], version)
            edits.append(time.perf_counter())
            delays.append(_seen_after(servers[1], version))

    began = time.perf_counter()
    with ThreadPoolExecutor(_CLIENTS + 1) as pool:
        for running in [*(pool.submit(ask, number) for number in range(_CLIENTS)), pool.submit(edit)]:
            running.result()
    return answers, edits, delays, time.perf_counter() - began


def _client(server: RunningServer) -> httpx.Client:
    headers = {"Authorization": f"Bearer {server.api_key}"}
    return httpx.Client(base_url=server.url, headers=headers, timeout=60, trust_env=False)


def _edit(server: RunningServer, version: int) -> None:
    entry = {"question": _QUESTION, "answer": f"Answer {version}", "lang": "en"}
    with _client(server) as client:
        client.put(_PATH, json=entry).raise_for_status()


def _seen_after(server: RunningServer, version: int) -> float:
    began = time.perf_counter()
    with _client(server) as client:
        while _ask(client) != version:
            if time.perf_counter() - began > 10 * _BORNE_SECONDS:
                break
    return time.perf_counter() - began


def _ask(client: httpx.Client) -> int:
    response = client.post("/v1/messages", json={"conversation": f"live-{uuid4().hex}", "text": _QUESTION})
    if response.is_error:
        return -1
    words = str(response.json()["replies"][0]["text"]).split()
    return int(words[1]) if len(words) == 2 and words[0] == "Answer" else -1
