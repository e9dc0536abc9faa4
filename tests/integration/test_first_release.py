"""The first start trains once, however many servers start and whichever of them dies."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nlu.releases import write_manifest
from tests.unit.nlu.release_examples import fill, manifest

START = """
import subprocess, sys
from bot.cli import serve
from bot.settings import read_settings

made, seconds, trainer = sys.argv[1:]
run = subprocess.run

def train(command, **how):
    target = command[command.index("--out") + 1]
    code = "import os, shutil, sys, time; open(sys.argv[4], 'w').write(str(os.getpid()))"
    code += "; time.sleep(float(sys.argv[3])); shutil.copytree(*sys.argv[1:3])"
    print("trains", flush=True)
    return run([sys.executable, "-c", code, made, target, seconds, trainer], **how)

serve.subprocess.run = train
serve.ensure_release(read_settings())
print("has", serve.release_store(read_settings()).current())
"""


class House:
    """Starts servers that have no release; training takes some seconds and gives one that was made before."""

    def __init__(self, folder: Path) -> None:
        self.made = fill(folder / "made")
        self.name = write_manifest(self.made, manifest()).name
        self.trainer = folder / "trainer"
        self.environment = os.environ | {"FRONTDESK_DATA_DIR": str(folder / "var")}
        self._open = contextlib.ExitStack()

    def start(self, seconds: float) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", START, str(self.made), str(seconds), str(self.trainer)]
        server = subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        return self._open.enter_context(server)

    def close(self) -> None:
        self._open.close()

    def training(self) -> int:
        """The process that trains, once there is one."""
        for _ in range(600):
            if self.trainer.exists() and (pid := self.trainer.read_text()):
                return int(pid)
            time.sleep(0.05)
        raise AssertionError("nobody trains")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.close()


def test_servers_that_start_together_train_once(house: House) -> None:
    servers = [house.start(2) for _ in range(2)]
    told = [server.communicate(timeout=60) for server in servers]
    assert [server.returncode for server in servers] == [0, 0], told
    assert all(f"has {house.name}" in out for out, _ in told)
    assert sum(out.count("trains") for out, _ in told) == 1


def test_what_a_killed_server_had_begun_goes_on(house: House) -> None:
    first = house.start(6)
    house.training()
    first.kill()
    first.wait(timeout=10)
    second = house.start(6)
    out, err = second.communicate(timeout=60)
    assert out == f"has {house.name}\n"
    assert "waiting for it" in err


def test_a_server_that_is_told_to_end_ends_its_training(house: House) -> None:
    first = house.start(60)
    trainer = house.training()
    first.terminate()
    first.wait(timeout=10)
    assert first.returncode == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(trainer, 0)
    out, _ = house.start(0).communicate(timeout=60)
    assert out == f"trains\nhas {house.name}\n"
