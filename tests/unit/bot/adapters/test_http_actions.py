from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest

from bot.adapters.http_actions import HttpActions
from bot.domain.rules import ActionSpec
from bot.errors import UnavailableError

LOOKUP = ActionSpec("lookup", "GET", "/orders/{order_number}", "state", {"shipped": "order_shipped"})
CANCEL = ActionSpec("cancel", "POST", "/orders/{order_number}/cancellation", "state", {"cancelled": "order_cancelled"})
SLOTS = {"order_number": "FD20481937", "wish": "a/b?c"}


class Time:
    now = 50.0

    def __call__(self) -> float:
        return self.now


class Api:
    """Answers with what it is told to, in turn; an error is raised, a function called."""

    def __init__(self, *answers: httpx.Response | Exception | Callable[[], httpx.Response]) -> None:
        self.answers = list(answers)
        self.seen: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else answer()


def actions(api: Api, time: Time | None = None) -> HttpActions:
    return HttpActions("http://shop.test/api/", "key", httpx.MockTransport(api), time or Time())


def shipped() -> httpx.Response:
    return httpx.Response(200, json={"state": "shipped", "day": "2026-05-02", "parcels": 2, "late": True, "x": None})


def test_a_read_fills_slots_into_its_path_and_gives_plain_fields():
    api = Api(shipped())
    values = actions(api).call(LOOKUP, SLOTS, "chat:m1")
    assert values == {"state": "shipped", "day": "2026-05-02", "parcels": "2", "late": "true"}
    (request,) = api.seen
    assert (request.method, str(request.url)) == ("GET", "http://shop.test/api/orders/FD20481937")
    assert request.headers["Authorization"] == "Bearer key"
    assert "Idempotency-Key" not in request.headers


def test_what_may_not_be_said_is_left_out():
    document = {"state": "shipped", "by": "that idiot Tom", "card": "4111 1111 1111 1111", "note": "an idiotic case"}
    calls = HttpActions(
        "http://shop.test", transport=httpx.MockTransport(Api(httpx.Response(200, json=document))), unwanted=("idiot",)
    )
    values = calls.call(LOOKUP, SLOTS, "m")
    assert values == {"state": "shipped", "card": "••••1111", "note": "an idiotic case"}


def test_what_a_customer_writes_stays_one_part_of_the_path():
    api = Api(shipped())
    actions(api).call(ActionSpec("a", "GET", "/wishes/{wish}", "state", {}), {"wish": "../a?b#c d/é"}, "m")
    assert api.seen[0].url.raw_path == b"/api/wishes/..%2Fa%3Fb%23c%20d%2F%C3%A9"


@pytest.mark.parametrize("value", [".", "..", "", "..."])
def test_dots_alone_are_no_part_of_a_path(value):
    api = Api(shipped())
    with pytest.raises(UnavailableError, match="cannot be a part of an address"):
        actions(api).call(ActionSpec("a", "GET", "/wishes/{wish}", "state", {}), {"wish": value}, "m")
    assert api.seen == []


def test_what_is_no_read_has_one_key_for_all_its_tries():
    api = Api(httpx.ReadTimeout("slow"), shipped(), shipped())
    calls = actions(api)
    calls.call(CANCEL, SLOTS, "chat:m1")
    calls.call(CANCEL, SLOTS, "chat:m2")
    keys = [request.headers["Idempotency-Key"] for request in api.seen]
    assert keys[0] == keys[1] != keys[2]
    assert json.loads(api.seen[0].content) == SLOTS


@pytest.mark.parametrize("first", [httpx.Response(503), httpx.ConnectError("refused")], ids=["status", "connection"])
def test_a_failure_is_tried_again_once(first):
    api = Api(first, shipped())
    assert actions(api).call(LOOKUP, SLOTS, "m")["state"] == "shipped"
    with pytest.raises(UnavailableError, match="gave no answer"):
        actions(Api(httpx.Response(500), httpx.Response(502))).call(LOOKUP, SLOTS, "m")


ANSWERLESS = {
    "status": (httpx.Response(503), LOOKUP),
    "connection": (httpx.ConnectError("refused"), LOOKUP),
    "too long": (httpx.Response(200, content=b" " * 200_000), LOOKUP),
    "garbage": (httpx.Response(200, content=b"?"), LOOKUP),
    "a part that leads out": (shipped(), ActionSpec("a", "GET", "/wishes/{dots}", "state", {})),
}


@pytest.mark.parametrize(("answer", "action"), ANSWERLESS.values(), ids=ANSWERLESS)
def test_an_error_holds_nothing_that_a_customer_filled_in(answer, action):
    with pytest.raises(UnavailableError) as caught:
        actions(Api(answer, answer)).call(action, {**SLOTS, "dots": "..."}, "m")
    assert not [value for value in (*SLOTS.values(), "...") if value in str(caught.value)]


def test_a_status_below_500_is_an_answer():
    api = Api(httpx.Response(404, json={"state": "unknown"}))
    assert actions(api).call(LOOKUP, SLOTS, "m") == {"state": "unknown"}


GARBAGE = {
    "no JSON": b"<html>",
    "a list": b"[1]",
    "deep": b"[" * 100_000,
    "nothing": b"",
    "huge": b" " * 200_000,
}


@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_no_answer(body):
    with pytest.raises(UnavailableError):
        actions(Api(httpx.Response(200, content=body), httpx.Response(200, content=body))).call(LOOKUP, SLOTS, "m")


def test_an_api_that_keeps_failing_is_left_alone_for_a_while():
    time = Time()
    api = Api(*[httpx.Response(500)] * 6, shipped())
    calls = actions(api, time)
    for _ in range(3):
        with pytest.raises(UnavailableError):
            calls.call(LOOKUP, SLOTS, "m")
    with pytest.raises(UnavailableError, match="left alone"):
        calls.call(LOOKUP, SLOTS, "m")
    assert len(api.seen) == 6
    time.now += 31
    assert calls.call(LOOKUP, SLOTS, "m")["state"] == "shipped"


def test_no_second_try_once_the_time_is_up():
    time = Time()

    def slow() -> httpx.Response:
        time.now += 5
        return httpx.Response(503)

    api = Api(slow, shipped())
    with pytest.raises(UnavailableError):
        actions(api, time).call(LOOKUP, SLOTS, "m")
    assert len(api.seen) == 1
