"""Temperature scaling: divides the logits by one number, so that confidence matches accuracy.

>>> factor = temperature(probabilities, truth)   # above 1 for an overconfident model
>>> calibrated = cooled(probabilities, factor)

Guo et al. 2017, https://arxiv.org/abs/1706.04599. The temperature is chosen on validation faces. It changes the confidence, not
the predicted class.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST, MOST = 0.2, 5.0
"""Range of the search; without errors the optimum would be 0."""
FEWEST = 50
"""Minimum number of faces to choose a temperature."""


def temperature(probabilities: NDArray[Any], truth: NDArray[np.int64]) -> float:
    """Returns the temperature with the smallest negative log-likelihood; 1.0 for fewer than FEWEST faces.

    Args:
        probabilities: (N, K) at temperature 1, rows sum to 1.
        truth: int64 (N,), column of the correct class; faces with -1 are left out.
    """
    from scipy.optimize import minimize_scalar  # the import takes half a second

    known = truth >= 0
    if known.sum() < FEWEST:
        return 1.0
    logits, rows = _logs(probabilities[known]), np.arange(int(known.sum()))
    correct = truth[known]

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        return float((np.logaddexp.reduce(scaled, axis=1) - scaled[rows, correct]).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(np.log(LEAST), np.log(MOST)), method="bounded").x))


def cooled(probabilities: NDArray[Any], factor: float) -> NDArray[np.float32]:
    """Returns the probabilities, float32 (N, K), after dividing the logits by ``factor``."""
    scaled = _logs(probabilities) / factor
    return np.exp(scaled - np.logaddexp.reduce(scaled, axis=1, keepdims=True)).astype(np.float32)


def _logs(probabilities: NDArray[Any]) -> NDArray[np.float64]:
    """Returns the logits, up to a constant per row."""
    return np.log(np.maximum(np.asarray(probabilities, np.float64), np.finfo(np.float32).tiny))
