"""Bootstrap interval of the expected calibration error.

>>> figure = calibration_error(confidence, correct)   # of each face
>>> figure.value, figure.low, figure.high
(0.020, 0.015, 0.031)

The error of a resample is larger on average than that of the faces, since noise in a bin never cancels. The percentiles are
therefore those of the bias-corrected bootstrap (Efron 1981, doi 10.1080/01621459.1981.10477543).
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facelet.measure.metrics.intervals import CONFIDENCE, Estimate
from facelet.measure.metrics.scores import BINS

RESAMPLES = 1000
CHUNK = 50
"""Resamples that are in memory at once."""


def calibration_error(confidence: NDArray[Any], correct: NDArray[np.bool_], seed: int = 0) -> Estimate:
    """Returns the ECE (see ``scores``) with its 95 % interval.

    Args:
        confidence: (N,), highest probability of each face.
        correct: bool (N,), whether the prediction is correct.
        seed: of the resampling.

    Raises ValueError when there are no faces.
    """
    n = len(confidence)
    if not n or len(correct) != n:
        raise ValueError(f"{n} confidences and {len(correct)} results")
    confidence = np.asarray(confidence, np.float64)
    number = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    gaps = np.zeros((n, BINS))  # the error is the sum over the bins of |sum over their faces|, divided by n
    gaps[np.arange(n), number] = (confidence - correct) / n
    value = float(np.abs(gaps.sum(0)).sum())
    generator, errors = np.random.default_rng(seed), []
    for _ in range(RESAMPLES // CHUNK):
        counts = generator.multinomial(n, np.full(n, 1 / n), CHUNK)
        errors.append(np.abs(counts @ gaps).sum(1))
    drawn = np.concatenate(errors)
    normal = NormalDist()
    below = np.clip((drawn < value).mean(), 0.5 / RESAMPLES, 1 - 0.5 / RESAMPLES)
    bias, tail = normal.inv_cdf(float(below)), normal.inv_cdf(0.5 + CONFIDENCE / 2)
    low, high = np.quantile(drawn, [normal.cdf(2 * bias - tail), normal.cdf(2 * bias + tail)])
    return Estimate(value, min(float(low), value), max(float(high), value))
