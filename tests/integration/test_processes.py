"""Training in two processes gives what one gives, within noise."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel

from nlu.pretrained import MINILM_NAME, load_pretrained
from nlu.releases import read_manifest
from nlu.runtime import load_understander

LAUNCH = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]

PART = """
import sys
from pathlib import Path
import torch
from training.processes import Processes

processes = Processes.join()
weight = torch.nn.Parameter(torch.full((2,), float(processes.place)))
processes.equalise([weight])
first = weight.tolist()
weight.grad = torch.full((2,), float(processes.place))
processes.average_gradients([weight])
said = (processes.count, processes.share(range(5)), first, weight.grad.tolist())
Path(sys.argv[1], str(processes.place)).write_text(repr(said))
processes.wait()
"""

WAYS = {
    "cancel": ["cancel order {}", "please stop order {}", "I do not want order {} any more", "call off order {}"],
    "status": ["where is order {}", "has order {} been sent", "when does order {} arrive", "track order {}"],
    "refund": ["money back for order {}", "refund order {}", "repay what I gave for {}", "I want {} refunded"],
}


def train(folder: Path, settings: Path, examples: Path, launcher: list[str]) -> Path:
    out = folder / "release"
    options = ["--config", str(settings), "--examples", str(examples), "--out", str(out)]
    environment = os.environ | {"FRONTDESK_DATA_DIR": str(folder / "var"), "OMP_NUM_THREADS": "1"}
    environment.pop("WORLD_SIZE", None)
    done = subprocess.run(
        [sys.executable, *launcher, "-m", "bot.cli", "train", *options],
        env=environment, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    told = [line for line in done.stderr.splitlines() if line.startswith(("Release", "Training: 100 %"))]
    assert len(told) == 2, "one process tells how far it is and where the release is"
    assert ("2 processes train together." in done.stderr) == bool(launcher)
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


@pytest.fixture
def still_settings(tmp_path: Path) -> Path:
    """Settings with a narrow encoder without dropout, whose chance would hide what two processes do otherwise."""
    folder = tmp_path / "encoder"
    source = load_pretrained(MINILM_NAME, tmp_path / "unpacked", ["en"]).folder
    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128}
    still = BertConfig(**sizes, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    BertModel(still, add_pooling_layer=False).save_pretrained(folder)
    for path in source.glob("tokenizer*"):
        shutil.copy(path, folder)
    path = tmp_path / "train.yaml"
    path.write_text(f"encoder: {folder}\nlanguages: [en]\nepochs: 3\ndropout: 0.0\nlearning_rate: 0.001\n")
    return path


def test_two_processes_learn_what_one_learns(tmp_path: Path, still_settings: Path, examples: Path) -> None:
    alone = train(tmp_path / "one", still_settings, examples, [])
    together = train(tmp_path / "two", still_settings, examples, LAUNCH)
    texts = ["where has order 77 gone", "stop order 77 please", "give me my money back", "refund 77", "track 77"]
    one, two = (load_understander(folder).understand(texts) for folder in (alone, together))
    for left, right in zip(one, two, strict=True):
        assert left.heads["intent"].label == right.heads["intent"].label
        assert abs(left.heads["intent"].confidence - right.heads["intent"].confidence) < 0.05
        assert float(np.dot(left.vector, right.vector)) > 0.99
    scores = [read_manifest(folder).metrics["held_out"]["intent"]["accuracy"] for folder in (alone, together)]
    assert abs(scores[0] - scores[1]) < 0.03
    assert not list((tmp_path / "two").glob(".*"))


def test_two_processes_share_batches_weights_and_gradients(tmp_path: Path) -> None:
    (tmp_path / "part.py").write_text(PART)
    (tmp_path / "said").mkdir()
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *LAUNCH, str(tmp_path / "part.py"), str(tmp_path / "said")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    said = {path.name: ast.literal_eval(path.read_text()) for path in (tmp_path / "said").iterdir()}
    assert said == {
        "0": (2, [0, 2, 4], [0.0, 0.0], [0.5, 0.5]),
        "1": (2, [1, 3], [0.0, 0.0], [0.5, 0.5]),
    }
