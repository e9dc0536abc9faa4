"""Training in two processes gives what one gives, within noise."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nlu.releases import read_manifest
from nlu.runtime import load_understander

WAYS = {
    "cancel": ["cancel order {}", "please stop order {}", "I do not want order {} any more", "call off order {}"],
    "status": ["where is order {}", "has order {} been sent", "when does order {} arrive", "track order {}"],
    "refund": ["money back for order {}", "refund order {}", "repay what I gave for {}", "I want {} refunded"],
}


def train(folder: Path, examples: Path, launcher: list[str]) -> Path:
    out = folder / "release"
    options = ["--encoder", "minilm-l6-en", "--epochs", "3", "--examples", str(examples), "--out", str(out)]
    environment = os.environ | {"FRONTDESK_DATA_DIR": str(folder / "var"), "OMP_NUM_THREADS": "1"}
    environment.pop("WORLD_SIZE", None)
    done = subprocess.run(
        [sys.executable, *launcher, "-m", "bot.cli", "train", *options],
        env=environment, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr.count("is in") == 1, "one process tells where the release is"
    return out


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    path = tmp_path / "examples.jsonl"
    lines = [
        json.dumps({"text": way.format(1000 + n), "intent": intent})
        for intent, ways in WAYS.items()
        for n in range(15)
        for way in ways
    ]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def test_two_processes_learn_what_one_learns(tmp_path: Path, examples: Path) -> None:
    launch = ["-m", "accelerate.commands.launch", "--num_processes", "2", "--cpu"]
    launch += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    alone = train(tmp_path / "one", examples, [])
    together = train(tmp_path / "two", examples, launch)
    texts = ["where has order 77 gone", "stop order 77 please", "give me my money back", "refund 77", "track 77"]
    one, two = (load_understander(folder).understand(texts) for folder in (alone, together))
    for left, right in zip(one, two, strict=True):
        assert left.heads["intent"].label == right.heads["intent"].label
        assert abs(left.heads["intent"].confidence - right.heads["intent"].confidence) < 0.15
        assert float(np.dot(left.vector, right.vector)) > 0.97
    scores = [read_manifest(folder).metrics["held_out"]["intent"]["accuracy"] for folder in (alone, together)]
    assert abs(scores[0] - scores[1]) < 0.06
    assert not list((tmp_path / "two").glob(".*"))
