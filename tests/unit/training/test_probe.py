from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from nlu.model import Reading
from tests.unit.training.test_fit import small_reader, texts
from training.datasets import NO_LABEL, Features, label_array
from training.fit import held_out_score
from training.probe import Probe, fit_heads
from training.reading import read_all


def test_heads_read_rightly_what_the_encoder_tells_apart() -> None:
    reader, said = small_reader({"intent": 3, "emotion": 2}, 2), texts(300)
    before = fit_heads(reader, said, 0)
    unseen = texts(100, seed=1)
    after = read_all(reader, unseen, 0)
    for head in ("intent", "emotion"):
        labels = label_array(unseen, head)
        known = labels != NO_LABEL
        assert (after.logits[head][known].argmax(-1) == labels[known]).mean() > 0.9
    assert held_out_score(after, unseen) > 0.9
    np.testing.assert_array_equal(read_all(reader, said, 0).vectors, before)


def test_vectors_of_any_scale_and_place_will_do() -> None:
    reader = small_reader({"intent": 2})
    said = [Features((1, 5 + n % 2, 2), {"intent": n % 2}, None) for n in range(40)]
    vectors = 7.0 + 0.001 * torch.tensor([[2.0 * (n % 2) - 1.0] * 32 for n in range(40)])
    vectors[:, 0] = 3.0
    fitted = Probe(reader, said)
    fitted.see(range(40), Reading(vectors, {}, None, vectors[:, None]))
    fitted.fit()
    logits = functional.linear(vectors, reader.head("intent").weight, reader.head("intent").bias)
    assert logits.argmax(-1).tolist() == [n % 2 for n in range(40)]


def test_a_head_without_labels_stays_and_the_weights_of_examples_count() -> None:
    reader = small_reader({"intent": 2, "topic": 2}, 1)
    untouched = {name: value.clone() for name, value in reader.state_dict().items() if "intent" not in name}
    said = [Features((1, 5, 2), {"intent": 0}, None, 1.0), Features((1, 5, 2), {"intent": 1}, None, 4.0)] * 8
    fit_heads(reader, said, 0)
    assert all(torch.equal(reader.state_dict()[name], value) for name, value in untouched.items())
    shares = functional.softmax(torch.from_numpy(read_all(reader, said[:1], 0).logits["intent"][0]), -1)
    assert 0.75 < shares[1] < 0.85


def test_heads_that_adapt_stay_as_they_are_where_they_read_rightly() -> None:
    torch.manual_seed(4)
    vectors = torch.randn(60, 32)
    labels = (vectors[:, 0] > 0).long()
    before = torch.zeros(2, 32)
    before[:, 0] = torch.tensor([-50.0, 50.0])
    moved = {}
    for adapt in (True, False):
        reader = small_reader({"intent": 2})
        head = reader.head("intent")
        with torch.no_grad():
            head.weight.copy_(before)
        fitted = Probe(reader, [Features((1,), {"intent": int(label)}, None) for label in labels])
        fitted.see(range(60), Reading(vectors, {}, None, vectors[:, None]))
        fitted.fit(adapt=adapt)
        with torch.no_grad():
            assert bool((head(vectors).argmax(-1) == labels).all())
            moved[adapt] = float((head.weight - before).norm())
    assert moved[True] < moved[False] / 20


def test_only_the_heads_that_are_named_are_fitted() -> None:
    reader = small_reader({"intent": 3, "emotion": 2}, 2)
    before = {name: value.clone() for name, value in reader.state_dict().items()}
    fit_heads(reader, texts(60), 0, only={"emotion"})
    changed = {name for name, value in reader.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"heads.emotion.weight", "heads.emotion.bias"}
    fit_heads(reader, texts(60), 0, only={"entities"})
    changed = {name for name, value in reader.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"heads.emotion.weight", "heads.emotion.bias", "tagger.weight", "tagger.bias"}
