from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from structlog.testing import capture_logs

from bot.api import create_app
from bot.domain.messages import IncomingMessage
from bot.errors import ReleaseError, UnavailableError

ANSWER = {"id": "m1", "replies": [{"text": "Hello."}]}
FAILURES = {
    "a damaged release": (ReleaseError("neighbours.jsonl: cannot be used"), "neighbours.jsonl: cannot be used"),
    "no release": (UnavailableError("No release is ready."), "No release is ready."),
    "what nobody expected": (RuntimeError("secret"), "An internal error; the log has it."),
}


class Answering:
    """Answers every message alike."""

    def accept(self, message: IncomingMessage) -> bool:
        raise NotImplementedError

    def answer(self, message: IncomingMessage) -> dict[str, Any]:
        return ANSWER


@pytest.mark.parametrize(("error", "reason"), FAILURES.values(), ids=FAILURES)
def test_an_answer_goes_out_though_it_cannot_be_explained(error: Exception, reason: str) -> None:
    def explain(_: str) -> None:
        raise error

    app = create_app(
        api_key="k",
        intake=Answering(),
        log=SimpleNamespace(),  # type: ignore[arg-type]
        clock=SimpleNamespace(now=lambda: datetime.now(UTC)),  # type: ignore[arg-type]
        ready=list,
        apology=lambda _: pytest.fail("it was answered"),
        version="1",
        explain=explain,
    )
    client = TestClient(app, headers={"Authorization": "Bearer k"}, raise_server_exceptions=False)
    message = {"conversation": "c", "text": "hello"}
    with capture_logs() as lines:
        answer = client.post("/v1/messages", json=message | {"explain": True})
    assert answer.status_code == 200
    assert answer.json() == {**ANSWER, "explanation": None, "explanation_error": reason}
    assert [line["event"] for line in lines] == ["explanation_failed"]
    assert client.post("/v1/messages", json=message).json() == ANSWER
