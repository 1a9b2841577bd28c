"""Scales of int8 weights with which sums cannot saturate on any processor.

>>> scales = portable_scales(weights)  # float32 (M, K), a row per output channel
>>> integers = np.rint(weights / scales[:, None])

The usual rule, 7 bits, scales a channel so that its largest weight is 64. Here the sum of the two largest weights is limited to 128
(see ``facelet.models.saturation``), so a channel with a single large weight has finer steps, up to all 8 bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facelet.models.saturation import LARGEST_PAIR

LARGEST = 127
WIDER = np.float32(1 + 2**-10)
"""Factor on the scale of a channel each time rounding brings its pair above the bound."""
TINY = np.float32(1e-12)


def portable_scales(channels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns the finest scales (M,) of (M, K) weights with which each row's two largest integers sum to at most LARGEST_PAIR."""
    magnitudes = np.sort(np.abs(channels).astype(np.float32), axis=1)[:, -2:]
    scales = np.maximum(magnitudes[:, -1] / LARGEST, magnitudes.sum(axis=1) / LARGEST_PAIR).astype(np.float32)
    scales = np.maximum(scales, TINY)
    while (over := np.rint(magnitudes / scales[:, None]).sum(axis=1) > LARGEST_PAIR).any():
        scales[over] *= WIDER
    return scales


def seven_bit_scales(channels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns scales (M,) with which no integer exceeds 64, so that any two integers of all rows keep the bound."""
    return np.maximum(np.abs(channels).max(axis=1).astype(np.float32) / (LARGEST_PAIR // 2), TINY)
