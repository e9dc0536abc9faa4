"""What `frontdesk doctor` makes of settings that are wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import httpx
import pytest

from bot.bootstrap import release_store
from bot.cli import doctor
from bot.settings import Settings
from tests.unit.nlu.release_examples import sealed

TOKEN = "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"

ANSWERS = {
    "no document": b"<html>",
    "a list": b"[]",
    "no name": b'{"ok": true, "result": null}',
    "no verdict": b"{}",
}


@pytest.mark.parametrize("body", ANSWERS.values(), ids=ANSWERS)
def test_what_does_not_answer_as_telegram_does_is_told(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    monkeypatch.setattr(httpx, "get", lambda *_, **__: httpx.Response(200, content=body))
    finding = doctor._examine("telegram", doctor._telegram, Settings(_env_file=None, telegram_token=TOKEN))
    assert not finding.ok
    assert finding.detail.startswith("FRONTDESK_TELEGRAM_API_URL: https://api.telegram.org does not answer")


@pytest.mark.parametrize("token", ["1:\n", "1:" + "a" * 70_000], ids=["line feed", "long"])
def test_a_token_that_fits_into_no_address_is_told(token: str) -> None:
    finding = doctor._examine("telegram", doctor._telegram, Settings(_env_file=None, telegram_token=token))
    assert not finding.ok
    assert token not in finding.detail


def test_a_refused_token_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpx, "get", lambda *_, **__: httpx.Response(401, json={"ok": False, "error_code": 401}))
    finding = doctor._examine("telegram", doctor._telegram, Settings(_env_file=None, telegram_token=TOKEN))
    assert finding.detail.startswith("FRONTDESK_TELEGRAM_TOKEN: Telegram refuses the token")


@pytest.mark.parametrize("host", ["::1", "no host"])
def test_a_host_that_cannot_be_used_is_told(monkeypatch: pytest.MonkeyPatch, host: str) -> None:

    class Taken:
        def __init__(self, *_: object) -> None: ...

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None: ...

        def setsockopt(self, *_: object) -> None: ...

        def bind(self, _: object) -> None:
            raise OSError(98, "in use")

    monkeypatch.setattr(doctor.socket, "socket", Taken)
    monkeypatch.setattr(httpx, "get", lambda url, **_: httpx.Response(404, request=httpx.Request("GET", url)))
    finding = doctor._examine("port", doctor._port, Settings(_env_file=None, host=host))
    assert not finding.ok
    assert finding.detail.startswith("FRONTDESK_PORT")


def test_a_release_that_is_sound_and_cannot_be_loaded_is_told(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, data_dir=tmp_path)
    store = release_store(settings)
    name = sealed(store, 1)
    store.promote(name)
    finding = doctor._examine("release", doctor._release, settings)
    assert not finding.ok
    assert name in finding.detail
