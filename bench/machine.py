"""The machine that figures were measured on."""

from __future__ import annotations

import contextlib
import os
import platform
from dataclasses import dataclass
from pathlib import Path

_SHOWN_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "bf16", "i8mm")
_GB = 1e9


@dataclass(frozen=True, slots=True)
class Machine:
    """What decides how fast and how large things are.

    Attributes:
        cpu: the model's name.
        cores: how many this process may use.
        flags: those of its instruction sets that matter to matrix products.
        memory_gb: of the whole machine, in 10^9 bytes.
        system: the operating system.
        python: Python's version.
        torch: torch's version.
        threads: how many threads torch uses.
        load: processes that wanted a core on average in the minute before the first benchmark.
    """

    cpu: str
    cores: int
    flags: tuple[str, ...]
    memory_gb: float
    system: str
    python: str
    torch: str
    threads: int
    load: float

    def describe(self) -> str:
        """One line for people."""
        flags = ", ".join(self.flags) or "none of the vector instruction sets looked for"
        parts = (
            f"{self.cpu}, {self.cores} cores ({flags})",
            f"{self.memory_gb:.1f} GB of memory",
            self.system,
            f"Python {self.python}",
            f"torch {self.torch} with {self.threads} threads",
            f"load average {self.load:.2f} when it began",
        )
        return "; ".join(parts)


def read_machine() -> Machine:
    """Looks at the machine this process runs on."""
    import torch

    cpu, flags = parse_cpuinfo(_read("/proc/cpuinfo"))
    return Machine(
        cpu=cpu or platform.processor() or platform.machine(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        flags=flags,
        memory_gb=parse_kilobytes(_read("/proc/meminfo"), "MemTotal") / _GB,
        system=_system(),
        python=platform.python_version(),
        torch=torch.__version__,
        threads=torch.get_num_threads(),
        load=os.getloadavg()[0],
    )


def parse_cpuinfo(text: str) -> tuple[str, tuple[str, ...]]:
    """Reads `/proc/cpuinfo`.

    Args:
        text: its content.

    Returns:
        The first core's model name, empty where there is none, and its flags that matter, in a fixed order.
    """
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields.setdefault(key.strip(), value.strip())
    flags = set((fields.get("flags") or fields.get("Features") or "").split())
    return fields.get("model name", ""), tuple(flag for flag in _SHOWN_FLAGS if flag in flags)


def parse_kilobytes(text: str, key: str) -> int:
    """Reads a line such as `MemTotal: 16384 kB` of `/proc/meminfo` or `/proc/<pid>/status`.

    Args:
        text: the file's content.
        key: what the line begins with.

    Returns:
        Bytes; 0 where there is no such line.
    """
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key and value.split():
            return int(value.split()[0]) * 1024
    return 0


def resident_bytes(pid: int, *, peak: bool = False) -> int:
    """The resident memory of a process, now or at its highest; 0 where it is gone or the system does not tell."""
    return parse_kilobytes(_read(f"/proc/{pid}/status"), "VmHWM" if peak else "VmRSS")


def _system() -> str:
    with contextlib.suppress(OSError):
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
        return f"{name}, {platform.system()} {platform.release()}"
    return platform.platform()


def _read(path: str) -> str:
    with contextlib.suppress(OSError):
        return Path(path).read_text("utf-8", errors="replace")
    return ""
