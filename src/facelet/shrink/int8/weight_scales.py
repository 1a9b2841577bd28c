"""Scales of int8 weights that cannot saturate on any processor.

>>> scales = portable_scales(weights)  # float32 (M, K), a row an output channel
>>> integers = np.rint(weights / scales[:, None])

The plain rule, 7 bits, scales a channel so that its largest weight is 64. Here the two largest share the 128 that they may have
together (see ``facelet.models.saturation``), so a channel with one large weight keeps finer steps, up to all 8 bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facelet.models.saturation import LARGEST_PAIR

LARGEST = 127
WIDER = np.float32(1 + 2**-10)
"""How much wider the steps of a channel become each time that rounding has brought its pair above the bound."""
TINY = np.float32(1e-12)


def portable_scales(channels: NDArray[np.float32]) -> NDArray[np.float32]:
    """The finest scale (M,) of each row of (M, K) weights at which its two largest integers add up to at most LARGEST_PAIR."""
    magnitudes = np.sort(np.abs(channels).astype(np.float32), axis=1)[:, -2:]
    scales = np.maximum(magnitudes[:, -1] / LARGEST, magnitudes.sum(axis=1) / LARGEST_PAIR).astype(np.float32)
    scales = np.maximum(scales, TINY)
    while (over := np.rint(magnitudes / scales[:, None]).sum(axis=1) > LARGEST_PAIR).any():
        scales[over] *= WIDER
    return scales


def seven_bit_scales(channels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scales (M,) at which no integer is above 64, so that any two of all rows keep the bound."""
    return np.maximum(np.abs(channels).max(axis=1).astype(np.float32) / (LARGEST_PAIR // 2), TINY)
