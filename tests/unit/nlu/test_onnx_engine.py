from __future__ import annotations

from pathlib import Path

import pytest

from nlu.onnx_engine import _sums_in_32_bits


@pytest.mark.parametrize(
    ("said", "fast"),
    [
        ("flags\t\t: fpu avx2 avx512f avx512_vnni\nbugs\t: none\n", True),
        ("flags : fpu avx2 avx_vnni\n", True),
        ("flags : amx_int8\n", True),
        ("flags : fpu avx2 avx512f avx512bw\nvmx flags : avx_vnni\n", False),
        ("Features : asimddp\n", False),
        ("", False),
    ],
)
def test_only_processors_that_sum_in_32_bits_take_the_fast_way(tmp_path: Path, said: str, fast: bool) -> None:
    told = tmp_path / "cpuinfo"
    told.write_text(said)
    assert _sums_in_32_bits(told) is fast


def test_a_processor_that_says_nothing_takes_the_exact_way(tmp_path: Path) -> None:
    assert not _sums_in_32_bits(tmp_path / "absent")
