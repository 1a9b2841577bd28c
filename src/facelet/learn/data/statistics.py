"""What a training needs to know of its faces beforehand: the input's mean and spread, and weights for rare classes.

>>> mean, std = input_statistics(faces.split("train").images)

Computed once, on training faces alone, and carried by the net from then on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ENOUGH = 10_000
"""Faces, evenly spaced, that the statistics are taken from."""


def input_statistics(images: NDArray[np.uint8]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel of pixels in [0, 1]; images: uint8 (N, H, W, C).

    The deviation is at least 1/255, so that blank faces divide by something.
    """
    chosen = images[:: max(1, -(-len(images) // ENOUGH))]
    channels = images.shape[3]
    total, squares, count = np.zeros(channels), np.zeros(channels), 0
    for start in range(0, len(chosen), 500):
        pixels = chosen[start : start + 500].reshape(-1, channels).astype(np.float32) / 255
        total += pixels.sum(0, dtype=np.float64)
        squares += np.square(pixels).sum(0, dtype=np.float64)
        count += len(pixels)
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0))
    return (
        tuple(round(float(value), 6) for value in mean),
        tuple(max(round(float(value), 6), round(1 / 255, 6)) for value in std),
    )


def class_weights(labels: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """A weight per class, inverse to its count, of mean 1 over the labelled faces; 0 for a class without faces."""
    counts = np.bincount(labels[labels >= 0], minlength=classes)
    present = counts > 0
    weights = np.zeros(classes, np.float32)
    weights[present] = counts.sum() / (present.sum() * counts[present])
    return weights
