"""The C library's heap, told to keep what a training frees.

>>> keep_memory()

glibc gives a freed map back to the system and has it filled with zeros anew for the next: tensors of the same sizes come and go at
every step, and a good part of a CPU's time goes into that. Kept, a process holds on to the most it has ever needed.
"""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""mallopt(3)'s numbers."""
LARGEST = 2**31 - 1


def keep_memory() -> bool:
    """From now on and for the whole process. Does nothing, and returns False, where the C library is not glibc."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # musl, macOS; Windows takes no None
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST) and mallopt(M_TRIM_THRESHOLD, LARGEST))
