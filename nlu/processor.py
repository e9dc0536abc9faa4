"""What the processor has, as Linux tells it."""

from __future__ import annotations

import functools
from pathlib import Path


@functools.cache
def processor_flags(told: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """Names of the instruction sets.

    Args:
        told: where they are told.

    Returns:
        Those of the first core, such as `avx512_vnni`; none where the processor does not say.
    """
    try:
        lines = told.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    fields = (line.partition(":") for line in lines)
    return next((frozenset(value.split()) for name, _, value in fields if name.strip() == "flags"), frozenset())
