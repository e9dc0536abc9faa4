from __future__ import annotations

import pytest
import torch
from torch import Tensor

from bench.pooling import POOLINGS
from nlu.model import Reader
from tests.unit.training.test_fit import small_reader

HIDDEN = torch.tensor([[[1.0, -5.0], [3.0, -1.0], [9.0, 9.0]], [[-2.0, -4.0], [0.0, 0.0], [7.0, 7.0]]])
MASK = torch.tensor([[True, True, False], [True, False, False]])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mean", [[2.0, -3.0], [-2.0, -4.0]]),
        ("first token", [[1.0, -5.0], [-2.0, -4.0]]),
        ("maximum", [[3.0, -1.0], [-2.0, -4.0]]),
    ],
)
def test_padding_counts_in_no_way_to_pool(name: str, expected: list[list[float]]) -> None:
    assert POOLINGS[name].pool(small_reader({"intent": 2}, 0), HIDDEN, MASK).tolist() == expected


def test_heads_read_what_is_pooled() -> None:
    class Third(Reader):
        def pool(self, hidden: Tensor, mask: Tensor) -> Tensor:
            return super().pool(hidden, mask) * 3

    known = small_reader({"intent": 2}, 0).eval()
    other = Third(known.encoder, known.sizes).eval()
    other.load_state_dict(known.state_dict())
    ids, mask = torch.tensor([[1, 2, 3]]), torch.ones((1, 3), dtype=torch.bool)
    bias = known.head("intent").bias
    left, right = known(ids, mask), other(ids, mask)
    torch.testing.assert_close(right.vector, left.vector * 3)
    torch.testing.assert_close(right.logits["intent"] - bias, (left.logits["intent"] - bias) * 3)
