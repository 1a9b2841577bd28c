"""The processor of this machine: its name and the instruction sets that decide how fast, and how exactly, int8 is computed.

>>> description()
'Intel(R) Xeon(R) Processor (avx2 avx_vnni avx512f avx512_vnni avx512_bf16 amx_int8)'
"""

from __future__ import annotations

import platform
from pathlib import Path

INSTRUCTION_SETS = (
    "avx2",
    "avx_vnni",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "amx_int8",
    "asimd",
    "asimddp",
    "i8mm",
    "sve",
)
"""In the kernel's spelling: x86 first, then ARM."""


def name() -> str:
    """As the system tells it, "unknown" where it does not."""
    return _cpuinfo().get("model name") or platform.processor() or platform.machine() or "unknown"


def instruction_sets() -> tuple[str, ...]:
    """Those of INSTRUCTION_SETS that this processor has; empty where the system does not list them (macOS, Windows)."""
    entries = _cpuinfo()
    present = set(entries.get("flags", entries.get("Features", "")).split())
    return tuple(flag for flag in INSTRUCTION_SETS if flag in present)


def description() -> str:
    """Name, and the instruction sets in brackets where they are known."""
    return f"{name()} ({' '.join(instruction_sets()) or platform.machine()})"


def _cpuinfo() -> dict[str, str]:
    """Fields of the last core in /proc/cpuinfo; empty where there is no such file."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    entries = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in entries}
