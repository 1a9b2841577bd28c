"""Configures glibc's allocator to keep the memory that a training frees.

>>> keep_memory()

By default glibc returns freed blocks to the system, which fills them with zeros at the next allocation. Tensors of the same sizes
are allocated and freed at every step, and this takes a considerable part of the CPU's time. With this setting the process keeps
its peak memory.
"""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of mallopt(3)."""
LARGEST = 2**31 - 1


def keep_memory() -> bool:
    """Applies to the whole process from now on. Without glibc it does nothing and returns False."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # musl, macOS; Windows takes no None
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST) and mallopt(M_TRIM_THRESHOLD, LARGEST))
