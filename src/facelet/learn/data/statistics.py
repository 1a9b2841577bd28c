"""Statistics of the training faces: mean and standard deviation of the pixels, weights and shares of the classes.

>>> mean, std = input_statistics(faces.split("train").images)

Mean and std are computed once, on training faces only, and stored in the net's spec.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ENOUGH = 10_000
"""Largest number of faces, evenly spaced, that the statistics are computed from."""


def input_statistics(images: NDArray[np.uint8]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel of pixels in [0, 1]; images: uint8 (N, H, W, C).

    The deviation is at least 1/255, so that blank faces do not cause a division by zero.
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
    """Weights (classes,), inverse to the classes' counts, with mean 1 over the labelled faces; 0 for a class without faces."""
    counts = np.bincount(labels[labels >= 0], minlength=classes)
    present = counts > 0
    weights = np.zeros(classes, np.float32)
    weights[present] = counts.sum() / (present.sum() * counts[present])
    return weights


def class_shares(labels: NDArray[np.int64], votes: NDArray[np.float32] | None, classes: int) -> NDArray[np.float32]:
    """Share of each class in the training targets, (classes,), sum 1: of the labels, or of ``votes`` (N, classes) if given.

    A class without faces counts as if it had one, so that its logarithm is finite.
    """
    counts = np.bincount(labels[labels >= 0], minlength=classes) if votes is None else votes.sum(0, dtype=np.float64)
    counts = np.maximum(counts, 1.0)
    return (counts / counts.sum()).astype(np.float32)
