"""Name of this machine's processor and its instruction sets, which determine the speed and exactness of int8.

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
"""Names as in /proc/cpuinfo: x86 first, then ARM."""


def name() -> str:
    """The processor's name as reported by the system, or "unknown"."""
    return _cpuinfo().get("model name") or platform.processor() or platform.machine() or "unknown"


def instruction_sets() -> tuple[str, ...]:
    """The INSTRUCTION_SETS of this processor; empty on systems that do not list them (macOS, Windows)."""
    entries = _cpuinfo()
    present = set(entries.get("flags", entries.get("Features", "")).split())
    return tuple(flag for flag in INSTRUCTION_SETS if flag in present)


def description() -> str:
    """The name, with the instruction sets in brackets, or the architecture if they are unknown."""
    return f"{name()} ({' '.join(instruction_sets()) or platform.machine()})"


def _cpuinfo() -> dict[str, str]:
    """Fields of the last core in /proc/cpuinfo; empty if the file does not exist."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    entries = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in entries}
