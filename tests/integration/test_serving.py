"""What serves messages, with the release that `make run` trains."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from bot.cli.learn import batch
from bot.live_engine import LiveEngine
from nlu.examples import read_examples
from nlu.manifest import read_manifest
from nlu.releases import ReleaseStore
from nlu.runtime import load_understander
from nlu.torch_engine import TorchEngine, load_reader
from tests.conftest import SHOP
from training.datasets import LabelSets, featurise
from training.reading import read_with

SWAPS = 50
MOST_GROWTH = 30e6
MOST_LOST = 0.01


def test_serving_imports_no_torch(shop_release: Path) -> None:
    program = (
        "import sys, pathlib, bot.cli, bot.live_engine\n"
        "engine = bot.live_engine.load_engine(pathlib.Path(sys.argv[1]))\n"
        "print(engine.understander.understand(['Where is my order?'])[0].heads['intent'].label)\n"
        "print(sorted({'torch', 'transformers', 'sentence_transformers', 'onnx'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, shop_release], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.splitlines() == ["order_status", "[]"]


def test_offsets_of_entities_count_in_the_text_as_it_was_given(shop_release: Path, tmp_path: Path) -> None:
    lines, out = tmp_path / "lines.jsonl", tmp_path / "out.jsonl"
    text = "Hi\n\n\n\nwhere is ＦＤ20481937? I paid ¥199"
    lines.write_text(json.dumps({"text": text}) + "\n", "utf-8")
    batch(str(shop_release), lines, out)
    entities = json.loads(out.read_text("utf-8"))["understanding"]["entities"]
    assert [text[entity["start"] : entity["end"]] for entity in entities] == ["ＦＤ20481937", "¥199"]
    assert [(entity["text"], entity["value"]) for entity in entities] == [
        ("ＦＤ20481937", "FD20481937"),
        ("¥199", "CNY 199.00"),
    ]


def test_a_reading_tells_how_near_the_nearest_example_is(shop_release: Path) -> None:
    learnt = read_examples(SHOP / "examples" / "intents.en.jsonl")[:20]
    texts = [*(example.text for example in learnt), "Sing me a song about the moon"]
    *near, strange = (reading.familiar or 0.0 for reading in load_understander(shop_release).understand(texts))
    # Some of the texts were held out.
    assert sorted(near)[5] > 0.999
    assert 0.0 < strange < 0.9


def test_what_serves_reads_as_what_was_trained(shop_release: Path) -> None:
    manifest = read_manifest(shop_release)
    reader, tokenizer = load_reader(shop_release, manifest)
    examples = read_examples(SHOP / "test.jsonl", keep_duplicates=True)
    sets = LabelSets({head: tuple(labels) for head, labels in manifest.heads.items()}, tuple(manifest.entity_types))
    features = featurise(examples, sets, tokenizer, manifest.prefix, manifest.max_tokens)
    served = load_understander(shop_release).engine
    trained, found = (
        read_with(engine, features, int(tokenizer.pad_token_id)) for engine in (TorchEngine(reader), served)
    )
    assert (trained.vectors * found.vectors).sum(1).mean() > 0.99
    for head, labels in manifest.heads.items():
        rows = [i for i, example in enumerate(examples) if example.labels.get(head) in labels]
        truth = np.array([labels.index(examples[i].labels[head]) for i in rows])
        right = [(reading.logits[head][rows].argmax(1) == truth).mean() for reading in (trained, found)]
        assert right[0] - right[1] <= MOST_LOST, head


def test_memory_does_not_grow_over_fifty_swaps(shop_release: Path, tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path / "releases")
    names = [read_manifest(shop_release).name]
    store.adopt(shop_release)
    other = f"{names[0][:-6]}{'0' * 6 if names[0][-6:] != '0' * 6 else '1' * 6}"
    copy = tmp_path / "copy"
    shutil.copytree(shop_release, copy)
    manifest = copy / "manifest.json"
    manifest.write_text(manifest.read_text("utf-8").replace(names[0], other), "utf-8")
    names.append(store.adopt(copy))
    assert names[1] == other
    engine = LiveEngine(store)
    sizes = []
    for swap in range(SWAPS):
        store.promote(names[swap % 2])
        engine.refresh()
        assert engine().understander.release == names[swap % 2]
        engine().understander.understand(["Where is my order? " * 10] * 4)
        sizes.append(resident_bytes())
    assert np.median(sizes[-10:]) - np.median(sizes[5:15]) < MOST_GROWTH


def resident_bytes() -> int:
    """Resident memory of this process."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text("utf-8").splitlines())
    return int(fields["VmRSS"].split()[0]) * 1024
