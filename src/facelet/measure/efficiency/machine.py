"""Description of this machine for latency results: processor, instruction sets, library versions, load."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path

import onnxruntime

from facelet import cpu


@dataclass(frozen=True)
class Machine:
    """The machine on which times were measured; its text omits the load.

    ``load``: number of cores kept busy by other processes, measured while this process sleeps.
    """

    cpu: str
    cores: int
    flags: tuple[str, ...]
    system: str
    python: str
    onnxruntime: str
    governor: str
    load: float

    def __str__(self) -> str:
        flags = f" ({' '.join(self.flags)})" if self.flags else ""
        return (
            f"{self.cpu}, {self.cores} cores{flags}; {self.system}; Python {self.python}; "
            f"ONNX Runtime {self.onnxruntime}; governor {self.governor}"
        )

    @property
    def warning(self) -> str:
        """A warning about the load of the machine; "" if it is idle."""
        if self.load > 0.25:
            return f"other processes use {self.load:.1f} of {self.cores} cores: measured times are too long and noisy"
        return ""


def machine(watched: float = 0.3) -> Machine:
    """Describes this machine; ``watched``: seconds over which the load is measured. Unavailable values are "unknown"."""
    return Machine(
        cpu=cpu.name(),
        cores=_cores(),
        flags=cpu.instruction_sets(),
        system=platform.platform(terse=True),
        python=platform.python_version(),
        onnxruntime=onnxruntime.__version__,
        governor=_text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip() or "unknown",
        load=_load(watched),
    )


def _load(watched: float) -> float:
    """Returns the number of busy cores while this process sleeps; the load average on systems without /proc/stat."""
    before = _busy_seconds()
    if before is None:
        return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if not watched:
        return 0.0
    time.sleep(watched)
    return (_busy_seconds() - before) / watched  # type: ignore[operator]


def _busy_seconds() -> float | None:
    """Returns the CPU time of all processes since boot; None when not available."""
    fields = _text("/proc/stat").partition("\n")[0].split()
    if len(fields) < 9 or fields[0] != "cpu":
        return None
    user, nice, system, _idle, _waiting, irq, soft, steal = map(int, fields[1:9])
    return (user + nice + system + irq + soft + steal) / os.sysconf("SC_CLK_TCK")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
