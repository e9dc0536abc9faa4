"""`frontdesk doctor`: checks everything Frontdesk leans on and says how to mend what is wrong."""

from __future__ import annotations

import io
import shutil
import socket
import sys
import wave
from collections.abc import Callable
from dataclasses import asdict, dataclass

import httpx
import typer

from bot import outside
from bot.adapters.embedded_redis import open_embedded
from bot.adapters.redis_state import RedisState
from bot.adapters.sql_log import open_log
from bot.bootstrap import SystemClock, release_store
from bot.bot_files import load_bot_files
from bot.cli.knowledge import live_entries, tell_of_shared
from bot.cli.learn import AsJson
from bot.cli.output import print_json, print_line
from bot.domain.messages import Attachment
from bot.errors import FaqError, FrontdeskError, SettingsError, UnavailableError
from bot.live_engine import load_engine
from bot.settings import Settings, read_settings

_NEEDED_BYTES = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check.

    Attributes:
        check: what was checked.
        ok: whether it is fine.
        detail: what was found, or what is wrong and how to mend it.
    """

    check: str
    ok: bool
    detail: str


def add_commands(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command()(doctor)


def doctor(as_json: AsJson = False) -> None:
    """Check Redis, SQL, release, FAQ, bot files, token, disk, port and endpoints; ends with 2 if something is wrong."""
    settings = read_settings()
    checks: dict[str, Callable[[Settings], str]] = {
        "bot files": _bot_files,
        "disk": _disk,
        "redis": _redis,
        "sql": _sql,
        "release": _release,
        "knowledge base": _knowledge_base,
        "port": _port,
        "telegram": _telegram,
        "rewriting": _rewriting,
        "voice": _voice,
    }
    findings = [_examine(name, check, settings) for name, check in checks.items()]
    if as_json:
        checked = [asdict(finding) for finding in findings]
        print_json({"ok": all(f.ok for f in findings), "checks": checked, "settings": settings.effective()})
    else:
        for finding in findings:
            print_line(f"{'ok  ' if finding.ok else 'BAD '} {finding.check}: {finding.detail}")
        print_line("")
        for name, value in settings.effective().items():
            print_line(f"{name}={value}")
    if not all(finding.ok for finding in findings):
        sys.exit(2)


def _examine(name: str, check: Callable[[Settings], str], settings: Settings) -> Finding:
    try:
        return Finding(name, True, check(settings))
    except (FrontdeskError, FaqError) as error:
        return Finding(name, False, str(error))


def _bot_files(settings: Settings) -> str:
    rules = load_bot_files(settings.bot_dir).rules
    return f"{len(rules.intents)} intents in {', '.join(rules.languages)} from {settings.bot_dir}"


def _disk(settings: Settings) -> str:
    place = settings.data_dir
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < _NEEDED_BYTES:
        raise SettingsError(
            f"{place}: only {free // 1_000_000:,} MB are free; training needs 2,000 MB. Free some space."
        )
    return f"{free // 1_000_000:,} MB free at {place}"


def _redis(settings: Settings) -> str:
    if settings.redis_url is None:
        embedded = open_embedded(settings.data_dir)
        try:
            return f"embedded, answers at {embedded.url}"
        finally:
            embedded.close()
    state = RedisState(settings.redis_url.get_secret_value(), settings.state_ttl)
    try:
        state.ping()
    finally:
        state.close()
    return "answers"


def _sql(settings: Settings) -> str:
    log = open_log(settings.database, SystemClock())
    try:
        log.ping()
    finally:
        log.close()
    return "answers, tables are up to date"


def _release(settings: Settings) -> str:
    name, warning = release_store(settings).open_current()
    if warning:
        raise SettingsError(warning)
    load_engine(release_store(settings).path(name), settings.threads)
    return f"{name} is sound and can be loaded"


def _knowledge_base(settings: Settings) -> str:
    entries = live_entries(settings)
    answer = f"{len(entries)} entries answer"
    shared = tell_of_shared(entries)
    more = f" (and {len(shared) - 1} more)" if len(shared) > 1 else ""
    return f"{answer}, but {shared[0]}{more}" if shared else answer


def _port(settings: Settings) -> str:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            if _is_frontdesk(settings):
                return f"Frontdesk is running on {settings.host}:{settings.port}"
            raise SettingsError(
                f"FRONTDESK_PORT: {settings.host}:{settings.port} cannot be used ({error.strerror}). "
                "Stop what uses it or set another port."
            ) from error
    return f"{settings.host}:{settings.port} is free"


def _is_frontdesk(settings: Settings) -> bool:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    try:
        answer = httpx.get(f"http://{host}:{settings.port}/healthz", timeout=2)
        return answer.status_code == 200 and answer.json() == {"status": "ok"}
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return False


def _telegram(settings: Settings) -> str:
    if settings.telegram_token is None:
        return "off; set FRONTDESK_TELEGRAM_TOKEN to turn it on"
    url = f"{settings.telegram_api_url}/bot{settings.telegram_token.get_secret_value()}/getMe"
    try:
        answer = httpx.get(url, timeout=10).json()
        name = answer["result"]["username"] if answer["ok"] else ""
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, LookupError, TypeError) as error:
        raise SettingsError(
            f"FRONTDESK_TELEGRAM_API_URL: {settings.telegram_api_url} does not answer as Telegram does "
            f"({type(error).__name__}). Check the address, the token and the network."
        ) from error
    if not name:
        raise SettingsError("FRONTDESK_TELEGRAM_TOKEN: Telegram refuses the token. Copy it again from @BotFather.")
    return f"the token is @{name}'s"


def _rewriting(settings: Settings) -> str:
    endpoint = outside.chat_endpoint(settings)
    if endpoint is None:
        return "off; set FRONTDESK_REWRITE_URL to have FAQ answers reworded"
    try:
        endpoint.rewrite("Is it free?", "It is free.", settings.languages[0])
    except UnavailableError as error:
        raise SettingsError(
            f"FRONTDESK_REWRITE_URL: {error}. Check address, model and key, or leave it out."
        ) from error
    finally:
        endpoint.close()
    return f"{settings.rewrite_model} answers at {settings.rewrite_url}"


def _voice(settings: Settings) -> str:
    endpoint = outside.transcription_endpoint(settings)
    if endpoint is None:
        return "off; set FRONTDESK_TRANSCRIBE_URL to have voice messages put into words"
    try:
        endpoint.transcribe(_silence(), settings.languages[0])
    except UnavailableError as error:
        raise SettingsError(
            f"FRONTDESK_TRANSCRIBE_URL: {error}. Check address, model and key, or leave it out."
        ) from error
    finally:
        endpoint.close()
    return f"{settings.transcribe_model} answers at {settings.transcribe_url}"


def _silence() -> Attachment:
    """A second of silence."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(2 * 16_000))
    return Attachment("silence.wav", content.getvalue())
