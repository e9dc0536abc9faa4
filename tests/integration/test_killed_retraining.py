"""A retraining that is killed goes on from its checkpoint when it is started again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel

from nlu.pretrained import MINILM_NAME, load_pretrained

ROOT = Path(__file__).parents[2]
KILLED_AT = 20

RUN = """
import json, os, signal, sys
from pathlib import Path
from nlu.examples import Example
from nlu.releases import ReleaseStore
from training import checkpoint
from training.config import TrainingConfig
from training.logged import LoggedTurn
from training.prepare import TrainingSet
from training.retrain import RetrainInputs, retrain
from training.train import train_release

folder, killed_at = Path(sys.argv[1]), int(sys.argv[2])
checkpoint._EVERY = 0.0
wishes = {"status": "where is my", "return": "send back the", "paint": "paint me a"}
base = [
    Example(f"{words} {colour} {thing}", {"intent": intent}, lang="en")
    for intent, words in wishes.items()
    for colour in ("red", "blue", "green", "white", "black")
    for thing in ("lamp", "kettle", "shoe", "bag", "shirt", "bottle")
]
settings = TrainingConfig(
    encoder=str(folder / "encoder"), languages=("en",), epochs=4, batch_size=8, holdout=0.2, learn_held_out=0
)
store = ReleaseStore(folder / "releases")
if store.current() is None:
    known = [example for example in base if example.labels["intent"] != "paint"]
    still = settings.model_copy(update={"trained_layers": 0})
    train_release(TrainingSet(known), still, folder / "first", folder)
    store.adopt(folder / "first")
steps = []

def report(progress):
    steps.append(progress.step)
    if progress.step == killed_at:
        os.kill(os.getpid(), signal.SIGKILL)

turns = [LoggedTurn(1, "what became of my parcel", corrections={"intent": "status"})]
test = [Example("where is my grey hat", {"intent": "status"}), Example("paint me a sky", {"intent": "paint"})]
told = retrain(RetrainInputs(turns, base, (), test, (), {}, settings), store, folder, report)
print(json.dumps({"steps": steps, "status": told.status.value, "candidate": told.candidate}))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with an untrained narrow encoder."""
    source = load_pretrained(MINILM_NAME, tmp_path, ["en"]).folder
    torch.manual_seed(0)
    sizes = BertConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64)
    BertModel(sizes, add_pooling_layer=False).save_pretrained(tmp_path / "encoder")
    for path in source.glob("tokenizer*"):
        shutil.copy(path, tmp_path / "encoder")
    return tmp_path


def retrained(folder: Path, killed_at: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", RUN, str(folder), str(killed_at)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)


def test_a_killed_retraining_goes_on_where_it_was(folder: Path) -> None:
    killed = retrained(folder, KILLED_AT)
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-3000:]
    current = (folder / "releases" / "current").read_text()
    again = retrained(folder, 0)
    assert again.returncode == 0, again.stderr[-3000:]
    told = json.loads(again.stdout)
    # The killed step was told, but its checkpoint not written any more.
    assert told["steps"][0] == KILLED_AT
    assert told["status"] in {"promoted", "refused"}
    assert (folder / "releases" / told["candidate"]).is_dir()
    assert (told["status"] == "promoted") == ((folder / "releases" / "current").read_text() != current)
    assert not (folder / "retrain" / "work").exists()
