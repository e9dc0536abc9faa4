from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel

from nlu.model import Reader
from nlu.types import ReleaseError
from training import checkpoint
from training import fit as fit_module
from training.config import TrainingConfig
from training.datasets import NO_LABEL, Features, collate
from training.fit import FaqPair, Progress, fit, held_out_score
from training.reading import LowerLayers, read_all

CONFIG = TrainingConfig(
    encoder="none", epochs=6, batch_size=8, learning_rate=3e-3, head_learning_rate=2e-2, anchor=0.1, patience=6, ema=0.9
)


def small_reader(heads: dict[str, int], tags: int = 0, layers: int = 2) -> Reader:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=40,
        hidden_size=32,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=32,
    )
    return Reader(BertModel(config, add_pooling_layer=False), heads, tags)


def texts(count: int, seed: int = 0) -> list[Features]:
    """Texts whose intent is told by token 5, 6 or 7, whose emotion by 8 or 9, with gaps in both."""
    rng = Random(seed)
    made = []
    for _ in range(count):
        intent, emotion = rng.randrange(3), rng.randrange(2)
        ids = [1, *(rng.randrange(20, 40) for _ in range(rng.randrange(1, 6))), 5 + intent, 8 + emotion, 2]
        labels = {"intent": intent, "emotion": emotion}
        if rng.random() < 0.3:
            labels.pop(rng.choice(["intent", "emotion"]))
        tags = (NO_LABEL, *(1 if token == 5 + intent else 0 for token in ids[1:-1]), NO_LABEL)
        made.append(Features(tuple(ids), labels, tags))
    return made


def trained(
    config: TrainingConfig,
    work: Path | None = None,
    report: Callable[[Progress], None] = lambda _: None,
    key: str = "run",
) -> tuple[Reader, float]:
    reader = small_reader({"intent": 3, "emotion": 2}, 2)
    features, held = texts(120), texts(40, seed=1)
    anchors = read_all(reader, features, 0).vectors
    pairs = [FaqPair(i, i + 1, str(i)) for i in range(0, 40, 2)]
    score = fit(reader, features, held, pairs, config, 0, anchors=anchors, work=work, fingerprint=key, report=report)
    return reader, score


def test_all_heads_learn_where_labels_are_missing() -> None:
    reader, score = trained(CONFIG)
    unseen = texts(60, seed=2)
    assert score > 0.9
    assert held_out_score(read_all(reader, unseen, 0), unseen) > 0.9


def test_the_anchor_keeps_the_vector_near_the_pretrained_one() -> None:
    before = read_all(small_reader({"intent": 3, "emotion": 2}, 2), texts(60, seed=2), 0).vectors
    kept, _ = trained(CONFIG.model_copy(update={"anchor": 20.0, "faq_weight": 0.0}))
    free, _ = trained(CONFIG.model_copy(update={"anchor": 0.0, "faq_weight": 0.0}))
    near, far = ((read_all(r, texts(60, seed=2), 0).vectors * before).sum(1).mean() for r in (kept, free))
    assert near > far
    assert near > 0.95


def test_frozen_layers_and_embeddings_stay_as_they_were() -> None:
    before = {name: value.clone() for name, value in small_reader({"intent": 3, "emotion": 2}, 2).state_dict().items()}
    reader, _ = trained(CONFIG.model_copy(update={"trained_layers": 1, "epochs": 1}))
    changed = {name for name, value in reader.state_dict().items() if not torch.equal(value, before[name])}
    assert any(name.startswith("encoder.encoder.layer.1.") for name in changed)
    assert not any(name.startswith(("encoder.embeddings.", "encoder.encoder.layer.0.")) for name in changed)


def test_the_output_of_frozen_layers_may_be_kept_from_the_first_pass() -> None:
    slow, _ = trained(CONFIG.model_copy(update={"trained_layers": 2, "epochs": 1, "learning_rate": 1e-9}))
    fast, _ = trained(CONFIG.model_copy(update={"trained_layers": 1, "epochs": 1, "learning_rate": 1e-9}))
    left, right = (read_all(reader, texts(30, seed=3), 0).vectors for reader in (slow, fast))
    np.testing.assert_allclose(left, right, atol=1e-3)


def test_output_that_memory_has_no_room_for_is_computed_anew() -> None:
    reader, said = small_reader({"intent": 3}), texts(10)
    kept, anew = LowerLayers(reader, said, 1, 0), LowerLayers(reader, said, 1, 0, most_bytes=1000)
    assert len(kept.states) == 10
    assert not anew.states
    batch = collate(said, [3, 1, 7], (), 0)
    reader.train()
    left, right = kept(reader, batch), anew(reader, batch)
    assert reader.training
    assert not right.requires_grad
    torch.testing.assert_close(left * batch.mask[..., None], right * batch.mask[..., None], atol=1e-3, rtol=1e-2)


def test_the_same_seed_gives_the_same_model() -> None:
    first, second = (trained(CONFIG.model_copy(update={"epochs": 1}))[0].state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_lower_layers_may_learn_more_slowly() -> None:
    config = CONFIG.model_copy(update={"epochs": 1, "layer_decay": 0.01})
    before = {name: value.clone() for name, value in small_reader({"intent": 3, "emotion": 2}, 2).state_dict().items()}
    moved = {}
    for name, value in trained(config)[0].state_dict().items():
        layer = name.removeprefix("encoder.encoder.layer.")[:1]
        if layer in "01":
            moved.setdefault(layer, []).append(float((value - before[name]).abs().mean()))
    assert 0 < np.mean(moved["0"]) < 0.1 * np.mean(moved["1"])


def test_the_last_weights_may_count_alike_in_the_average() -> None:
    config = CONFIG.model_copy(update={"epochs": 1, "swa": 0.5})
    reader, features = small_reader({"intent": 3}), texts(64)
    name = "heads.intent.weight"
    seen = []

    def keep(_: int) -> None:
        seen.append(reader.state_dict()[name].clone())

    fit(reader, features, texts(20, seed=1), [], config, 0, anchors=np.zeros((64, 32), np.float32), after_step=keep)
    assert len(seen) == 8
    torch.testing.assert_close(reader.state_dict()[name], torch.stack(seen[4:]).mean(0))


def test_rare_labels_are_heard_where_they_weigh_more() -> None:
    few = [Features((1, 20 + i % 20, 5, 2), {"intent": 0}, None) for i in range(90)]
    few += [Features((1, 20 + i % 20, 5, 2), {"intent": 1}, None) for i in range(10)]

    def share_of_the_rare(balance: float) -> float:
        reader = small_reader({"intent": 2})
        config = CONFIG.model_copy(update={"class_balance": balance, "label_smoothing": 0.0, "anchor": 0.0})
        fit(reader, few, few[:20], [], config, 0, anchors=np.zeros((100, 32), np.float32))
        logits = torch.from_numpy(read_all(reader, few[:1], 0).logits["intent"])
        return float(logits.softmax(-1)[0, 1])

    assert share_of_the_rare(0.0) < 0.3
    assert share_of_the_rare(1.0) > 0.35


class StoppedError(Exception):
    pass


def test_an_interrupted_run_goes_on_to_the_same_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "_EVERY", 0.0)
    config = CONFIG.model_copy(update={"epochs": 2})
    whole, whole_score = trained(config)

    def stop(progress: Progress) -> None:
        if progress.step == 19:
            raise StoppedError

    with pytest.raises(StoppedError):
        trained(config, tmp_path, stop)
    steps: list[int] = []
    resumed, score = trained(config, tmp_path, lambda progress: steps.append(progress.step))
    assert steps[0] == 19
    assert score == whole_score
    left, right = whole.state_dict(), resumed.state_dict()
    assert all(torch.allclose(left[name], right[name], atol=1e-6) for name in left)


def test_an_epochs_score_is_not_lost_where_the_run_ends_at_its_last_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = CONFIG.model_copy(update={"epochs": 2})
    _, whole = trained(config)
    last = fit_module.count_steps(texts(120), config) // 2
    monkeypatch.setattr(checkpoint.Checkpoint, "due", lambda state: state.step == last)
    save = checkpoint.save_checkpoint

    def save_and_stop(*given: Any) -> None:
        save(*given)
        raise StoppedError

    monkeypatch.setattr(fit_module, "save_checkpoint", save_and_stop)
    with pytest.raises(StoppedError):
        trained(config, tmp_path)
    monkeypatch.setattr(fit_module, "save_checkpoint", save)
    read: list[float] = []
    _, score = trained(config, tmp_path, lambda progress: read.append(progress.score))
    assert read[0] > 0
    assert score == whole


@pytest.mark.parametrize("content", [b"PK\x03\x04 no checkpoint", b"garbage here\n", b"\x80\x02}q\x00.", b"\0" * 10])
def test_a_damaged_checkpoint_is_told_and_left_alone(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(content)
    _, score = trained(CONFIG.model_copy(update={"epochs": 1}), tmp_path)
    assert score > 0
    assert "training starts anew" in caplog.text


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("failed writing file")])
def test_a_checkpoint_that_the_disk_refuses_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(checkpoint, "_EVERY", 0.0)
    monkeypatch.setattr(torch, "save", refuse)
    with pytest.raises(ReleaseError, match="a checkpoint cannot be written"):
        trained(CONFIG.model_copy(update={"epochs": 1}), tmp_path)


def test_a_checkpoint_of_another_run_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "_EVERY", 0.0)
    config = CONFIG.model_copy(update={"epochs": 1})
    trained(config, tmp_path, key="one")
    steps: list[int] = []
    trained(config, tmp_path, lambda progress: steps.append(progress.step), key="other")
    assert steps[0] == 1


def test_heavier_examples_count_more() -> None:
    reader = small_reader({"intent": 2})
    said = [Features((1, 5, 2), {"intent": 0}, None, 1.0), Features((1, 5, 2), {"intent": 1}, None, 4.0)] * 8
    anchors = read_all(reader, said, 0).vectors
    fit(reader, said, said[:2], [], CONFIG, 0, anchors=anchors)
    assert read_all(reader, said[:1], 0).logits["intent"].argmax() == 1


def test_the_last_weights_that_are_not_clearly_worse_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, torch.Tensor]] = []
    scores = [0.5, 0.9, 0.89, 0.5, 0.6, 0.9]

    def score(_: object, __: object, averaged: dict[str, torch.Tensor], *___: object) -> float:
        seen.append({name: value.clone() for name, value in averaged.items()})
        return scores[len(seen) - 1]

    monkeypatch.setattr(fit_module, "_score_with", score)
    reader, best = trained(CONFIG.model_copy(update={"patience": 2}))
    assert (best, len(seen)) == (0.9, 5)
    kept = reader.state_dict()
    assert all(torch.equal(kept[name], value) for name, value in seen[2].items())
