from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from nlu.engine import Engine
from nlu.model import Reader
from nlu.onnx_engine import OnnxEngine
from nlu.runtime import GRAPH_FILE
from nlu.torch_engine import TorchEngine
from nlu.types import InputError, ReleaseError
from tests.unit.training.test_fit import small_reader, texts
from training import export, graph
from training.datasets import Features, label_array
from training.export import FULL, QUANTISED, Variant, export_graph, input_ranges
from training.graph import build_graph
from training.probe import fit_heads
from training.reading import Readings, read_with


def pack_words(reader: Reader) -> None:
    """Gives a model word embeddings as 4 bits hold them: -8 to 7 times the scale of their block, which one reaches."""
    table = reader.encoder.embeddings.word_embeddings.weight.detach()
    blocks = table.view(len(table), -1, 32)
    largest = blocks.gather(2, blocks.abs().argmax(2, keepdim=True))
    scales = torch.where(largest == 0, 1.0, largest / -8)
    blocks.copy_((blocks / scales).round().clamp(-8, 7) * scales)


def test_the_full_graph_computes_what_the_model_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, said = small_reader({"intent": 3, "emotion": 2}, 2), texts(80)
    pack_words(reader)
    monkeypatch.setattr(export, "_LEAST_COSINE", 1.1)
    found = export_graph(reader, tmp_path, said, said, 0)
    assert found["chosen"] == FULL
    left, right = (read_with(engine, said, 0) for engine in (TorchEngine(reader), OnnxEngine(tmp_path / GRAPH_FILE)))
    np.testing.assert_allclose(left.vectors, right.vectors, atol=1e-5)
    assert left.logits.keys() == right.logits.keys()
    for head, values in left.logits.items():
        np.testing.assert_allclose(values, right.logits[head], atol=1e-4)
    assert all((one == other).all() for one, other in zip(left.tags, right.tags, strict=True))


def test_word_embeddings_take_a_quarter_of_the_room_and_lose_next_to_nothing() -> None:
    reader, said = small_reader({"intent": 3}, 2), texts(80)
    exact = read_with(TorchEngine(reader), said, 0).vectors
    built = build_graph(reader)
    assert (exact * read_with(OnnxEngine(built), said, 0).vectors).sum(1).min() > 1 - 1e-4
    shape = reader.encoder.embeddings.word_embeddings.weight.shape
    kept = {tuple(tensor.dims): tensor.data_type for tensor in onnx.load_from_string(built).graph.initializer}
    assert kept[tuple(shape)] == onnx.TensorProto.UINT8


def test_eight_bits_are_faithful_and_what_was_measured_is_told(tmp_path: Path) -> None:
    reader, said = small_reader({"intent": 3, "emotion": 2}, 2), texts(300)
    fit_heads(reader, said, 0)
    found = export_graph(reader, tmp_path, said, texts(100, seed=1), 0)
    assert found["chosen"] in {FULL, QUANTISED}
    assert found[FULL]["cosine"] == pytest.approx(1, abs=1e-4)
    assert found[QUANTISED]["cosine"] > 0.99
    assert found[FULL]["agreement"] == {"emotion": 1.0, "intent": 1.0, "entities": 1.0}
    assert max(map(abs, found[FULL]["lost"].values())) == 0


@pytest.mark.parametrize("keep", [FULL, QUANTISED])
def test_the_way_of_the_release_before_is_kept_whatever_is_faster(keep: str, tmp_path: Path) -> None:
    reader, said = small_reader({"intent": 3, "emotion": 2}, 2), texts(300)
    fit_heads(reader, said, 0)
    found = export_graph(reader, tmp_path, said, said, 0, keep)
    assert found["chosen"] == keep


def test_the_way_of_the_release_before_is_left_where_it_loses_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, said = small_reader({"intent": 3}, 2), texts(80)
    monkeypatch.setattr(export, "_LEAST_COSINE", 1.1)
    assert export_graph(reader, tmp_path, said, said, 0, QUANTISED)["chosen"] == FULL


def test_the_inputs_of_products_with_one_scale_are_measured_and_the_model_stays() -> None:
    reader, said = small_reader({"intent": 3}, 2), texts(40)
    before = {name: value.clone() for name, value in reader.state_dict().items()}
    ranges = input_ranges(reader, said, 0)
    parts = ("attention", "attention.output", "inner")
    assert sorted(ranges) == sorted(f"layer.{number}.{part}" for number in range(2) for part in parts)
    assert [len(ranges[f"layer.0.{part}"]) for part in parts] == [32, 32, 32]
    assert all((seen > 0).all() for seen in ranges.values())
    assert all((reader.state_dict()[name] == value).all() for name, value in before.items())


def lost_in_8_bits(reader: Reader, said: list[Features], ranges: dict[str, Any] | None = None) -> float:
    """The mean squared distance between vectors in full precision and in 8 bits."""
    exact = read_with(TorchEngine(reader), said, 0).vectors
    engine = OnnxEngine(build_graph(reader, quantised=True, ranges=ranges))
    return float(np.square(exact - read_with(engine, said, 0).vectors).sum(1).mean())


def test_outliers_of_a_channel_are_smoothed_away() -> None:
    reader, said = small_reader({"intent": 3}, 2), texts(60)
    with torch.no_grad():
        for layer in reader.encoder.encoder.layer:
            layer.attention.self.value.weight[3] *= 300.0
            layer.attention.output.dense.weight *= 20.0
            layer.attention.output.dense.weight[:, 3] /= 6000.0
    assert lost_in_8_bits(reader, said, input_ranges(reader, said, 0)) < 0.01 * lost_in_8_bits(reader, said)


def test_little_is_lost_where_a_token_drowns_the_others_behind_the_activation(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, said = small_reader({"intent": 3}, 2), texts(60)
    with torch.no_grad():
        for layer in reader.encoder.encoder.layer:
            layer.intermediate.dense.weight[3] *= 300.0
            layer.intermediate.dense.bias[3] = -60.0
            layer.output.dense.weight *= 20.0
            layer.output.dense.weight[:, 3] /= 6000.0
    lost = lost_in_8_bits(reader, said)
    builder = graph._Builder
    monkeypatch.setattr(builder, "_outer", lambda self, state, layer: builder._linear(self, "", state, layer))
    assert 0 < lost < 0.1 * lost_in_8_bits(reader, said)


def test_an_encoder_that_cannot_be_served_is_named() -> None:
    reader = small_reader({"intent": 3})
    reader.encoder.config.hidden_act = "silu"
    with pytest.raises(InputError, match="'silu'"):
        build_graph(reader)


def test_a_file_that_is_no_graph_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"no graph")
    with pytest.raises(ReleaseError, match=r"model\.onnx: cannot be run"):
        OnnxEngine(path)


def variant(lost: float, noise: float, cosine: float = 0.999) -> Variant:
    return Variant(QUANTISED, cosine, {"intent": 0.98}, {"intent": lost}, {"intent": noise}, 1.0, b"")


def test_a_loss_within_chance_is_borne_up_to_a_point() -> None:
    assert variant(0.005, 0.001).is_faithful
    assert not variant(0.006, 0.001).is_faithful
    assert variant(0.0066, 0.0067).is_faithful
    assert not variant(0.012, 0.02).is_faithful
    assert not variant(-0.01, 0.02, cosine=0.98).is_faithful


def test_a_graph_that_spoils_entities_alone_does_not_serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, said = small_reader({"intent": 3}, 2), texts(300)
    fit_heads(reader, said, 0)

    def spoilt(engine: Engine, features: Sequence[Features], pad_id: int) -> Readings:
        reading = read_with(engine, features, pad_id)
        if isinstance(engine, TorchEngine) or engine.graph == "full":  # type: ignore[attr-defined]
            return reading
        half = [1 - tags if row % 2 else tags for row, tags in enumerate(reading.tags)]
        return replace(reading, tags=half)

    class Named(OnnxEngine):
        def __init__(self, built: bytes) -> None:
            super().__init__(built)
            self.graph = "full" if built == full else "8 bits"

    full = build_graph(reader)
    monkeypatch.setattr(export, "OnnxEngine", Named)
    monkeypatch.setattr(export, "read_with", spoilt)
    monkeypatch.setattr(export, "_time", lambda engine, _: 2.0 if engine.graph == "full" else 1.0)
    found = export_graph(reader, tmp_path, said, said, 0)
    assert found["chosen"] == FULL
    assert found[FULL]["lost"]["entities"] == 0.0
    assert found[FULL]["agreement"]["entities"] == 1.0
    assert found[QUANTISED]["lost"]["intent"] < 0.01
    assert found[QUANTISED]["lost"]["entities"] > 0.3
    assert found[QUANTISED]["agreement"]["entities"] < 0.6


def test_how_far_chance_goes_is_measured_on_what_turns_either_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "_LEVELS", 1)
    reader = small_reader({"intent": 3}, 2)
    pack_words(reader)
    said = [replace(text, labels={"intent": number % 3}) for number, text in enumerate(texts(300))]
    fit_heads(reader, said, 0)
    found = export_graph(reader, tmp_path, said, said, 0)
    coarse = OnnxEngine(build_graph(reader, quantised=True, ranges=input_ranges(reader, said, 0)))
    truth = label_array(said, "intent")
    before, after = (
        read_with(engine, said, 0).logits["intent"].argmax(1) == truth for engine in (TorchEngine(reader), coarse)
    )
    turned = int((before != after).sum())
    assert turned > 0
    assert found[FULL]["noise"] == {"intent": 0.0, "entities": 0.0}
    assert found[QUANTISED]["noise"]["intent"] == pytest.approx(turned**0.5 / 300, abs=1e-4)
    assert found[QUANTISED]["lost"]["intent"] == pytest.approx(before.mean() - after.mean(), abs=1e-4)
