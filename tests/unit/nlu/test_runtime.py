from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

from nlu.batching import BatchingEngine
from nlu.engine import Outputs
from nlu.explain import explain
from nlu.neighbours import Neighbours
from nlu.runtime import (
    OOS_FILE,
    TAGS_FILE,
    Calibration,
    ReleaseUnderstander,
    load_calibration,
    save_calibration,
)
from nlu.types import ReleaseError, Thresholds
from tests.unit.nlu.release_examples import manifest

MOST_TOKENS = 256


def test_a_calibration_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = Calibration({"intent": 1.5}, Thresholds(), None, np.ones((4, 3), np.float32))
    save_calibration(tmp_path, written)
    found = load_calibration(tmp_path)
    assert (found.temperatures, found.thresholds, found.oos) == (written.temperatures, written.thresholds, None)
    assert found.transitions is not None
    assert found.transitions.shape == (4, 3)


@pytest.mark.parametrize("name", [TAGS_FILE, OOS_FILE])
def test_a_calibration_whose_arrays_are_none_is_refused(tmp_path: Path, name: str) -> None:
    save_calibration(tmp_path, Calibration({}, Thresholds(), None))
    if name == OOS_FILE:
        path = tmp_path / "calibration.json"
        path.write_text(path.read_text().replace('"oos": null', '"oos": {}'))
    (tmp_path / name).write_bytes(b"no safetensors")
    with pytest.raises(ReleaseError, match=r"calibration\.json: cannot be used"):
        load_calibration(tmp_path)


class Summing:
    """Gives each text the sum of its tokens; notes the shape of each pass. The first waits until it is let go."""

    width = 1

    def __init__(self) -> None:
        self.passes: list[tuple[int, ...]] = []
        self.started, self.go = threading.Event(), threading.Event()

    def run(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> Outputs:
        self.passes.append(ids.shape)
        self.started.set()
        assert self.go.wait(10)
        sums = (ids * mask).sum(1, keepdims=True).astype(np.float32)
        return Outputs(sums, {"intent": np.repeat(sums, 2, axis=1), "emotion": sums}, None)


def reader(engine: Summing, lanes: int = 1, **prefixes: str) -> ReleaseUnderstander:
    """Reads numbers: the number n is the token n."""
    tokenizer = Tokenizer(WordLevel({str(number): number for number in range(1000)}, unk_token="0"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    batching = BatchingEngine(engine, lanes)
    described = manifest(**({"prefix": ""} | prefixes))
    return ReleaseUnderstander(described, tokenizer, batching, Calibration({}, Thresholds(), None))


NUMBERS = [[n] * (1 + 7 * n % 20) for n in range(1, 60)] + [[1] * 300]
TEXTS = [" ".join(map(str, numbers)) for numbers in NUMBERS]
SUMS = [sum(numbers[:128]) for numbers in NUMBERS]


def test_many_texts_are_read_in_small_passes_and_told_in_order() -> None:
    engine = Summing()
    engine.go.set()
    readings = reader(engine).understand(TEXTS, ["en"] * len(TEXTS))
    assert [reading.text for reading in readings] == TEXTS
    assert [reading.vector.item() for reading in readings] == SUMS
    assert reader(engine).embed(TEXTS)[:, 0].tolist() == SUMS
    assert max(rows * tokens for rows, tokens in engine.passes) <= MOST_TOKENS
    assert sum(rows for rows, _ in engine.passes) == 2 * len(TEXTS)
    assert reader(engine).understand([]) == []


@pytest.mark.parametrize(
    ("prefixes", "question", "passage"),
    [({}, 7, 7), ({"prefix": "100 "}, 107, 107), ({"prefix": "100 ", "passage_prefix": "200 "}, 107, 207)],
)
def test_passages_may_begin_otherwise_than_questions(prefixes: dict[str, str], question: int, passage: int) -> None:
    engine = Summing()
    engine.go.set()
    understander = reader(engine, **prefixes)
    assert understander.embed(["7"]).item() == question
    assert understander.embed_passages(["7"]).item() == passage


def test_a_long_text_is_explained_in_small_passes() -> None:
    engine = Summing()
    engine.go.set()
    found = explain(reader(engine), Neighbours((), (), np.zeros((0, 0), np.float16)), TEXTS[-1])
    assert found is not None
    assert len(found.tokens) == 128
    assert max(rows * tokens for rows, tokens in engine.passes) <= MOST_TOKENS


def test_a_message_gets_in_between_many_texts_that_are_read() -> None:
    engine = Summing()
    understander = reader(engine)
    batching = understander.engine
    assert isinstance(batching, BatchingEngine)
    with ThreadPoolExecutor(2) as pool:
        many = pool.submit(understander.understand, [" ".join(["7"] * 128)] * 20)
        assert engine.started.wait(10)
        message = pool.submit(understander.understand, ["1 2 3"])
        while not batching._waiting:
            threading.Event().wait(0.005)
        engine.go.set()
        assert message.result(10)[0].vector.item() == 6
        assert len(many.result(10)) == 20
    assert engine.passes == [(2, 128), (1, 3), *[(2, 128)] * 9]
