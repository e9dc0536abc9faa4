"""A release of the example shop for every test that needs one, trained once and kept."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import filelock
import pytest
import structlog
from hypothesis import HealthCheck, settings

from nlu.releases import ReleaseError, verify

ROOT = Path(__file__).parents[1]
SHOP = ROOT / "examples" / "shop"
CACHE = ROOT / "var" / "test-cache"
CONFIG = "seed: 13\n"
TRAINING_SECONDS = 3600

# As for the command, and before any test loads torch.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

# How long an example takes says more about what else runs on the machine than about the code.
settings.register_profile("frontdesk", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("frontdesk")


@pytest.fixture(scope="session")
def shop_release(request: pytest.FixtureRequest) -> Path:
    """A sealed release trained from `examples/shop`; FRONTDESK_TEST_RELEASE names one to take instead."""
    given = os.environ.get("FRONTDESK_TEST_RELEASE")
    if given:
        verify(Path(given))
        return Path(given)
    folder = CACHE / _fingerprint() / "release"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder.parent / ".lock", timeout=TRAINING_SECONDS):
        if not _is_sound(folder):
            with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
                _train(folder)
    return folder


@pytest.fixture(autouse=True)
def fresh_logging() -> Iterator[None]:
    """Log lines of later tests must not go to a stream that an earlier test's command wrote to."""
    yield
    structlog.reset_defaults()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Gives the test that happens to train the release first the time for it."""
    for item in items:
        if "shop_release" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(TRAINING_SECONDS))


def _fingerprint() -> str:
    """Identifies all that the release is made of."""
    digest = hashlib.sha256(CONFIG.encode())
    for path in _sources():
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _sources() -> Iterator[Path]:
    for folder in (SHOP / "examples", SHOP / "faq"):
        yield from sorted(folder.iterdir())
    for room in ("nlu", "retrieval", "training"):
        yield from sorted((ROOT / room).rglob("*.py"))


def _is_sound(folder: Path) -> bool:
    try:
        verify(folder)
    except ReleaseError:
        return False
    return True


def _train(folder: Path) -> None:
    sys.stderr.write(f"\nTraining a release of {SHOP.name} for the tests; it is kept in {folder.parent}.\n")
    config = folder.parent / "train.yaml"
    config.write_text(CONFIG, "utf-8")
    command = [sys.executable, "-m", "bot.cli", "train", "--config", config, "--out", folder]
    command += ["--examples", SHOP / "examples", "--faq", SHOP / "faq"]
    settings = {name: value for name, value in os.environ.items() if not name.startswith("FRONTDESK_")}
    subprocess.run(
        command,
        check=True,
        cwd=folder.parent,
        env={**settings, "FRONTDESK_DATA_DIR": str(CACHE)},
        timeout=TRAINING_SECONDS,
    )
