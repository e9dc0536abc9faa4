"""How the command's threads wait for each other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
TELL = "import os, sys, bot.cli; print(os.environ['GOMP_SPINCOUNT'], {'torch', 'faiss'} & {*sys.modules} or 'early')"


@pytest.mark.parametrize(("given", "told"), [(None, "1000 early"), ("5", "5 early")])
def test_waiting_threads_leave_their_cores_before_a_library_starts_any(given: str | None, told: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    environment |= {"PYTHONPATH": str(ROOT)} | ({"GOMP_SPINCOUNT": given} if given else {})
    ran = subprocess.run([sys.executable, "-c", TELL], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == told
