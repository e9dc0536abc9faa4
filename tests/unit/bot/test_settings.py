from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from bot.errors import SettingsError
from bot.settings import kept_key, read_settings

WRONG = {
    "port is a word": ("PORT", "http"),
    "port zero": ("PORT", "0"),
    "port too high": ("PORT", "65536"),
    "mode unknown": ("TELEGRAM_MODE", "pigeon"),
    "no cron": ("RETRAIN_SCHEDULE", "now and then"),
    "no five fields": ("RETRAIN_SCHEDULE", "@daily"),
    "six fields": ("RETRAIN_SCHEDULE", "0 3 * * * 5"),
    "a day that never comes": ("RETRAIN_SCHEDULE", "0 3 30 2 *"),
    "weak key": ("API_KEY", "changeme"),
    "short secret": ("SECRET_KEY", "0123456789"),
    "no workers": ("WORKERS", "0"),
    "nobody may wait": ("API_WAITING", "0"),
    "web chat for nobody": ("WEB_RATE", "0"),
    "state forgotten at once": ("STATE_TTL", "5"),
    "threads below zero": ("THREADS", "-1"),
    "agents' chat is a name": ("TELEGRAM_AGENTS_CHAT", "@agents"),
    "proxy by name": ("TRUSTED_PROXIES", "127.0.0.1,proxy.example"),
    "proxies' network with a host": ("TRUSTED_PROXIES", "172.18.0.1/16"),
    "public address without http": ("PUBLIC_URL", "desk.example"),
    "address with half a host": ("TELEGRAM_API_URL", "http://[::"),
    "webhook without a host": ("TELEGRAM_WEBHOOK_URL", "https://"),
    "address of another kind": ("ACTIONS_URL", "ftp://shop.example"),
    "address with a port too high": ("REWRITE_URL", "http://127.0.0.1:99999"),
    "address of no host": ("TRANSCRIBE_URL", "http://xn--a"),
}


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting from outside, neither by the environment nor by a `.env` file."""
    for name in [name for name in os.environ if name.startswith("FRONTDESK_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("name", "value"), WRONG.values(), ids=WRONG)
def test_a_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"FRONTDESK_{name}", value)
    with pytest.raises(SettingsError, match=rf"^FRONTDESK_{name}: .*frontdesk doctor"):
        read_settings()


def test_a_secret_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTDESK_API_KEY", "hunter2-s3cret")
    with pytest.raises(SettingsError) as caught:
        read_settings()
    assert "hunter2" not in str(caught.value)
    monkeypatch.setenv("FRONTDESK_API_KEY", "a-long-and-random-key")
    settings = read_settings()
    assert settings.effective()["FRONTDESK_API_KEY"] == "********"
    assert "a-long-and-random-key" not in repr(settings)


@pytest.mark.parametrize(
    "name",
    [
        "REDIS_URL",
        "DATABASE_URL",
        "TELEGRAM_TOKEN",
        "SECRET_KEY",
        "API_KEY",
        "RETRAIN_SCHEDULE",
        "TELEGRAM_WEBHOOK_URL",
        "TELEGRAM_AGENTS_CHAT",
        "PUBLIC_URL",
    ],
)
def test_an_empty_value_counts_as_none(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"FRONTDESK_{name}", "")
    assert getattr(read_settings(), name.lower()) is None


def test_values_come_from_the_environment_first_and_then_from_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("FRONTDESK_PORT=9001\nFRONTDESK_LANGUAGES=en, zh\n")
    assert (read_settings().port, read_settings().languages) == (9001, ("en", "zh"))
    monkeypatch.setenv("FRONTDESK_PORT", "9002")
    assert read_settings().port == 9002


def test_proxies_are_listed_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_settings().trusted_proxies == ("127.0.0.1", "::1")
    monkeypatch.setenv("FRONTDESK_TRUSTED_PROXIES", "10.1.2.3, 172.16.0.0/12")
    assert read_settings().trusted_proxies == ("10.1.2.3", "172.16.0.0/12")
    monkeypatch.setenv("FRONTDESK_TRUSTED_PROXIES", "")
    assert read_settings().trusted_proxies == ()


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    key, new = kept_key(tmp_path, "api_key")
    assert new
    assert len(key) >= 32
    assert kept_key(tmp_path, "api_key") == (key, False)
    assert (tmp_path / "keys" / "api_key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["api_key"]


@pytest.mark.parametrize("kept", ["", " \n", "x" * 15], ids=["empty", "blank", "short"])
def test_a_kept_key_that_is_cut_short_is_refused_with_what_to_do(tmp_path: Path, kept: str) -> None:
    path = tmp_path / "keys" / "api_key"
    path.parent.mkdir()
    path.write_text(kept)
    with pytest.raises(SettingsError, match=rf"^{path}: .* has {len(kept.strip())}\. .*remove it and start again"):
        kept_key(tmp_path, "api_key")
    assert list(path.parent.iterdir()) == [path]
    path.unlink()
    assert kept_key(tmp_path, "api_key")[1]


def test_a_key_is_on_the_disk_before_its_name_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = []

    def note(descriptor: int) -> None:
        found = os.fstat(descriptor)
        synced.append((stat.S_ISDIR(found.st_mode) or found.st_size, (tmp_path / "keys" / "api_key").exists()))

    monkeypatch.setattr(os, "fsync", note)
    key, _ = kept_key(tmp_path, "api_key")
    assert synced == [(len(key) + 1, False), (True, True)]
