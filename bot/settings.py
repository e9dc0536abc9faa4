"""Settings from environment variables with the prefix `FRONTDESK_` and from a `.env` file."""

from __future__ import annotations

import os
import secrets
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

import httpx
from croniter import CroniterError, croniter
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bot.errors import SettingsError
from nlu.durable import sync_folder

_WEAK = {"secret", "changeme", "change-me", "password", "default", "admin", "frontdesk", "test", "12345678"}
_SHORTEST_KEY = 16
_CRON_FIELDS = 5
_LAST_PORT = 65535


class Settings(BaseSettings):
    """What the operator can set; every field is `FRONTDESK_<FIELD>` in the environment.

    Attributes:
        data_dir: where everything is kept: database, Redis file, releases, keys.
        bot_dir: the bot's own files: `bot.yaml`, templates, forms, examples, FAQ.
        redis_url: a Redis server; absent, an embedded one is started.
        database_url: a PostgreSQL or SQLite database; absent, SQLite in the data folder.
        telegram_token: from @BotFather; absent, no Telegram.
        telegram_api_url: where the Bot API answers.
        telegram_mode: `polling` or `webhook`.
        telegram_webhook_url: the public https address of `/telegram/webhook`.
        telegram_webhook_secret: what Telegram sends along with each update.
        telegram_agents_chat: the id of the chat where agents are told of conversations that ask for a human.
        telegram_rate: messages a second that all processes together may send; Telegram takes about 30 from a bot.
        public_url: where the server is reached from outside, for links to the console.
        host: address to listen on.
        port: port to listen on.
        trusted_proxies: addresses and networks, separated by commas, whose `X-Forwarded-For` and `X-Forwarded-Proto`
            are believed.
        api_waiting: messages of callers of `/v1` that may wait in one process.
        web_rate: messages a minute that one address may send to the web chat.
        languages: languages the bot speaks, separated by commas.
        secret_key: signs cookies; absent, one is made and kept in the data folder.
        api_key: what callers of `/v1` show; absent, one is made, kept in the data folder and printed.
        retrain_schedule: when to retrain, in cron's five fields; absent, only by hand.
        state_ttl: seconds after which an idle conversation is forgotten.
        workers: conversations answered side by side in one process.
        threads: CPU threads for reading messages; 0 for torch's choice.
        actions_url: the company's own API, which `actions.yaml` of the bot calls; absent, humans do what it would.
        actions_key: that API's bearer token, where it needs one.
        rewrite_url: an OpenAI-compatible endpoint that rewords FAQ answers; absent, they are said as they are.
        rewrite_model: the model's name at that endpoint.
        rewrite_key: the endpoint's bearer token, where it needs one.
        rewrite_seconds: how long a customer waits for a rewording.
        transcribe_url: an OpenAI-compatible endpoint that puts voice messages into words; absent, agents listen.
        transcribe_model: the model's name at that endpoint.
        transcribe_key: the endpoint's bearer token, where it needs one.
        transcribe_seconds: how long a voice message may take to be put into words.
    """

    model_config = SettingsConfigDict(env_prefix="FRONTDESK_", env_file=".env", extra="ignore", frozen=True)

    data_dir: Path = Path("var")
    bot_dir: Path = Path("examples/shop")
    redis_url: SecretStr | None = None
    database_url: SecretStr | None = None
    telegram_token: SecretStr | None = None
    telegram_api_url: str = "https://api.telegram.org"
    telegram_mode: Literal["polling", "webhook"] = "polling"
    telegram_webhook_url: str | None = None
    telegram_webhook_secret: SecretStr | None = None
    telegram_agents_chat: int | None = None
    telegram_rate: int = Field(30, ge=1, le=1000)
    public_url: str | None = None
    host: str = "127.0.0.1"
    port: int = Field(8080, ge=1, le=_LAST_PORT)
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ("127.0.0.1", "::1")
    api_waiting: int = Field(1000, ge=1)
    web_rate: int = Field(3000, ge=1)
    languages: Annotated[tuple[str, ...], NoDecode] = ("zh", "en")
    secret_key: SecretStr | None = None
    api_key: SecretStr | None = None
    retrain_schedule: str | None = None
    state_ttl: int = Field(86_400, ge=60)
    workers: int = Field(4, ge=1, le=64)
    threads: int = Field(0, ge=0)
    actions_url: str | None = None
    actions_key: SecretStr | None = None
    rewrite_url: str | None = None
    rewrite_model: str = "default"
    rewrite_key: SecretStr | None = None
    rewrite_seconds: int = Field(4, ge=1, le=10)
    transcribe_url: str | None = None
    transcribe_model: str = "whisper-1"
    transcribe_key: SecretStr | None = None
    transcribe_seconds: int = Field(20, ge=1, le=60)

    @field_validator(
        "redis_url",
        "database_url",
        "telegram_token",
        "secret_key",
        "api_key",
        "retrain_schedule",
        "telegram_webhook_url",
        "telegram_webhook_secret",
        "telegram_agents_chat",
        "public_url",
        "actions_url",
        "actions_key",
        "rewrite_url",
        "rewrite_key",
        "transcribe_url",
        "transcribe_key",
        mode="before",
    )
    @classmethod
    def _blank_is_absent(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator(
        "telegram_api_url", "telegram_webhook_url", "public_url", "actions_url", "rewrite_url", "transcribe_url"
    )
    @classmethod
    def _is_http(cls, value: str | None) -> str | None:
        if value is not None and not _is_web_address(value):
            raise ValueError(f"{value!r} is no web address; give one such as http://127.0.0.1:9000/api")
        return value

    @field_validator("languages", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for part in value:
            try:
                ip_network(part)
            except ValueError as error:
                raise ValueError(f"{error}; give addresses or networks such as 127.0.0.1,172.16.0.0/12") from error
        return value

    @field_validator("retrain_schedule")
    @classmethod
    def _is_cron(cls, value: str | None) -> str | None:
        if value is not None and (len(value.split()) != _CRON_FIELDS or not croniter.is_valid(value)):
            raise ValueError(f"{value!r} is not a cron schedule; five fields such as '0 3 * * *' are expected")
        try:
            if value is not None:
                croniter(value).get_next()
        except CroniterError as error:
            raise ValueError(f"{value!r} never comes; give days that there are, such as '0 3 * * *'") from error
        return value

    @field_validator("secret_key", "api_key")
    @classmethod
    def _is_strong(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and _is_weak(value.get_secret_value()):
            raise ValueError(f"is too easy to guess; give at least {_SHORTEST_KEY} random characters or leave it out")
        return value

    @property
    def database(self) -> str:
        """The database's URL, the default one included."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data_dir.resolve() / 'frontdesk.sqlite3'}"

    def effective(self) -> dict[str, str]:
        """Every setting as it is in force, secrets masked."""
        shown = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            text = "not set" if value is None else "********" if isinstance(value, SecretStr) else str(value)
            shown[f"FRONTDESK_{name.upper()}"] = ",".join(value) if isinstance(value, tuple) else text
        return shown


def read_settings() -> Settings:
    """Reads the settings.

    Returns:
        The settings in force.

    Raises:
        SettingsError: a value is wrong; names the variable and what it should be.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "FRONTDESK_" + "_".join(str(part) for part in first["loc"][:1]).upper()
        message = first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{name}: {message}. See `frontdesk doctor` for the settings in force.") from error


def kept_key(data_dir: Path, name: str) -> tuple[str, bool]:
    """A random key that is made once and kept in the data folder, readable by its owner alone.

    Args:
        data_dir: the data folder.
        name: the key's file name.

    Returns:
        The key, and whether it was made just now.

    Raises:
        SettingsError: the key that is kept is empty or too short.
    """
    folder = data_dir / "keys"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / name
    key = secrets.token_urlsafe(32)
    partial = folder / f".{name}.{os.getpid()}.{secrets.token_hex(4)}"
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(key + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(partial, path)
    except FileExistsError:
        return _read_kept(path), False
    finally:
        partial.unlink()
    sync_folder(folder)
    return key, True


def _read_kept(path: Path) -> str:
    key = path.read_text("utf-8").strip()
    if _is_weak(key):
        raise SettingsError(
            f"{path}: a key of at least {_SHORTEST_KEY} characters is expected, this one has {len(key)}. "
            "Restore the file from a backup, or remove it and start again to have a new key made."
        )
    return key


def _is_web_address(text: str) -> bool:
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError):
        return False
    return url.scheme in {"http", "https"} and bool(url.host) and (url.port or 1) <= _LAST_PORT


def _is_weak(key: str) -> bool:
    return len(key) < _SHORTEST_KEY or key.lower() in _WEAK
