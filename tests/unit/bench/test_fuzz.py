"""Broken updates: the parser refuses them or passes over them, and is broken by none."""

from __future__ import annotations

import json
import random

import pytest

from bench.fuzz import SEEDS, broken, outcome


@pytest.mark.parametrize("seed", range(4))
def test_no_broken_update_breaks_the_parser(seed: int) -> None:
    chance = random.Random(seed)
    outcomes = {outcome(json.dumps(broken(chance)).encode()) for _ in range(2000)}
    assert outcomes == {"refused", "nothing", "message"}


def test_whole_updates_are_taken() -> None:
    taken = [outcome(json.dumps(update | {"update_id": 1}).encode()) for update in SEEDS]
    assert taken.count("message") == 13
    assert taken.count("nothing") == len(SEEDS) - 13


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b"{", b"\xff", b"[" * 100_000, b'{"update_id": "x"}'])
def test_what_is_no_update_is_refused_or_passed_over(body: bytes) -> None:
    assert outcome(body) in ("refused", "nothing")
