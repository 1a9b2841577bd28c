"""Temperature: one number that divides a model's logits so that it is as sure as it is right. Guo et al. 2017,
https://arxiv.org/abs/1706.04599

>>> factor = temperature(probabilities, truth)   # above 1 for a model that is too sure of itself
>>> calibrated = cooled(probabilities, factor)

It is chosen on validation faces and holds for faces like those. No answer changes, only how sure it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST, MOST = 0.2, 5.0
"""Temperatures that are looked at: answers that are all right would want 0."""
FEWEST = 50
"""Faces below which one is not chosen."""


def temperature(probabilities: NDArray[Any], truth: NDArray[np.int64]) -> float:
    """The temperature with the least negative log-likelihood; 1.0 for fewer than FEWEST faces.

    Args:
        probabilities: (N, K), rows sum to 1, as answered at temperature 1.
        truth: int64 (N,), column of the right answer, -1 where there is none; such faces are left out.
    """
    from scipy.optimize import minimize_scalar  # half a second, which reading answers need not wait for

    known = truth >= 0
    if known.sum() < FEWEST:
        return 1.0
    logits, rows = _logs(probabilities[known]), np.arange(int(known.sum()))
    right = truth[known]

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        return float((np.logaddexp.reduce(scaled, axis=1) - scaled[rows, right]).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(np.log(LEAST), np.log(MOST)), method="bounded").x))


def cooled(probabilities: NDArray[Any], factor: float) -> NDArray[np.float32]:
    """float32 (N, K): the probabilities of logits divided by ``factor``."""
    scaled = _logs(probabilities) / factor
    return np.exp(scaled - np.logaddexp.reduce(scaled, axis=1, keepdims=True)).astype(np.float32)


def _logs(probabilities: NDArray[Any]) -> NDArray[np.float64]:
    """Logits but for a constant of each row."""
    return np.log(np.maximum(np.asarray(probabilities, np.float64), np.finfo(np.float32).tiny))
